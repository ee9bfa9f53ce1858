// What training runs did, as plots over their steps and tables: one file, SVG, HTML or Markdown.
//
// Contract: the same runs give the same bytes; no file refers to anything outside itself. Curves of
// more than 1000 points are shown as means of that many equal parts.
#pragma once

#include <string>
#include <vector>

#include "report/svg_plot.h"
#include "report/table.h"
#include "report/training_run.h"

namespace lichen {

// Loss; of codecs bit per pixel and PSNR by rate, of other networks the score with its tests, of searches the
// cost; learning rate. Vertical lines mark where stages begin.
std::vector<Plot> TrainingPlots(const std::vector<TrainingRun>& runs);

// A row per fact, a column per run: recipe, steps, time, pictures, last figures, notes.
Table TrainingSummary(const std::vector<TrainingRun>& runs);
// A row per run and rate: lambda, and the figures of the last line.
Table TrainingRates(const std::vector<TrainingRun>& runs);
// A row per run and skipped picture.
Table TrainingSkipped(const std::vector<TrainingRun>& runs);

std::string TrainingSvg(const std::vector<TrainingRun>& runs);
std::string TrainingHtml(const std::vector<TrainingRun>& runs);
// Tables and the way of the figures in a dozen steps; Markdown holds no plots.
std::string TrainingMarkdown(const std::vector<TrainingRun>& runs);

}  // namespace lichen
