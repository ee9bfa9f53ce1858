// Probability tables of integer codecs, fitted to pictures.
//
// Contract: deterministic, whatever the thread count. Without a context: set `latent`, a table per
// channel. With a hyper-prior and a row context: set `latent`, a table per index, each a Gaussian of
// scale 2^((3 * index - 111) / 32) that counts smooth away from; set `hyper_latent`, a table per channel.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "entropy/table_fit.h"
#include "net/int_net.h"
#include "quant/calibration.h"

namespace lichen {

struct TableFitOptions {
  int prob_bits = 16;
  bool gaussian = false;     // tables per index are the Gaussians themselves
  double prior_count = 256;  // symbols that the Gaussian of an index stands for
  std::function<void(int64_t done, int64_t total)> progress;
};

// All table sets that coding with the net takes.
Result<std::vector<TableSet>> FitCodecTables(const IntNet& net, const Calibration& calibration,
                                             const TableFitOptions& options,
                                             const Threads& threads);

}  // namespace lichen
