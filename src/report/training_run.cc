#include "report/training_run.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/files.h"

namespace lichen {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMaxStep = int64_t{1} << 53;
constexpr int kMaxJsonDepth = 16;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// `nullptr` where the key is missing.
const Json* Get(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it == json.end() ? nullptr : &*it;
}

// A number; null, which stands for one that is not finite, is NaN. A missing key leaves `value` alone.
Result<void> ReadNumber(const Json& json, const char* key, double& value) {
  const Json* found = Get(json, key);
  if (!found) return {};
  if (!found->is_number() && !found->is_null()) return Fail("'{}' is not a number", key);
  value = found->is_null() ? kNan : found->get<double>();
  return {};
}

Result<void> ReadText(const Json& json, const char* key, std::string& value) {
  const Json* found = Get(json, key);
  if (!found) return {};
  if (!found->is_string()) return Fail("'{}' is not text", key);
  value = found->get<std::string>();
  return {};
}

// A count, where the key is there and holds one.
Result<void> ReadCount(const Json& json, const char* key, int64_t& value) {
  double number = static_cast<double>(value);
  LICHEN_TRY_VOID(ReadNumber(json, key, number));
  if (number >= 0 && number <= static_cast<double>(kMaxStep)) value = static_cast<int64_t>(number);
  return {};
}

Result<int64_t> ReadStep(const Json& json) {
  const Json* found = Get(json, "step");
  if (!found) return Fail("has neither 'event' nor 'step'");
  if (!found->is_number_integer() || found->get<double>() < 0 ||
      found->get<double>() > static_cast<double>(kMaxStep)) {
    return Fail("'step' is not a whole number from 0");
  }
  return found->get<int64_t>();
}

// The kind of score that a line tells of, or "".
std::string ScoreName(const Json& json) {
  for (const char* name : {"accuracy", "iou"}) {
    if (Get(json, name)) return name;
  }
  return "";
}

Result<TrainingPoint> ReadPoint(const Json& json) {
  TrainingPoint p{.bpp = kNan,
                  .mse = kNan,
                  .psnr_db = kNan,
                  .score = kNan,
                  .cost = kNan,
                  .learning_rate = kNan};
  LICHEN_TRY(p.step, ReadStep(json));
  if (!Get(json, "loss")) return Fail("has a 'step' but no 'loss'");
  const std::pair<const char*, double*> numbers[] = {
      {"loss", &p.loss},
      {"bpp", &p.bpp},
      {"mse", &p.mse},
      {"psnr", &p.psnr_db},
      {"accuracy", &p.score},
      {"iou", &p.score},
      {"cost", &p.cost},
      {"learning_rate", &p.learning_rate},
      {"gradient_norm", &p.gradient_norm},
      {"pictures_per_second", &p.pictures_per_second},
      {"seconds", &p.seconds}};
  for (const auto& [key, value] : numbers) LICHEN_TRY_VOID(ReadNumber(json, key, *value));
  LICHEN_TRY_VOID(ReadText(json, "stage", p.stage));
  const Json* rates = Get(json, "rates");
  if (!rates) return p;
  if (!rates->is_array()) return Fail("'rates' is not a list");
  for (const Json& rate : *rates) {
    if (!rate.is_object() || !Get(rate, "lambda"))
      return Fail("'rates' holds one without 'lambda'");
    TrainingPoint::Rate r{.lambda = kNan, .bpp = kNan, .mse = kNan, .psnr_db = kNan};
    LICHEN_TRY_VOID(ReadNumber(rate, "lambda", r.lambda));
    LICHEN_TRY_VOID(ReadNumber(rate, "bpp", r.bpp));
    LICHEN_TRY_VOID(ReadNumber(rate, "mse", r.mse));
    LICHEN_TRY_VOID(ReadNumber(rate, "psnr", r.psnr_db));
    p.rates.push_back(r);
  }
  return p;
}

void Flatten(const Json& json, const std::string& prefix,
             std::vector<std::pair<std::string, std::string>>& out) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      Flatten(value, name, out);
    } else if (value.is_string()) {
      out.emplace_back(name, value.get<std::string>());
    } else {
      out.emplace_back(name, value.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  }
}

class Reader {
 public:
  explicit Reader(TrainingRun& run) : run_(run) { run_.test_score = kNan; }

  Result<void> Line(const Json& json) {
    if (!json.is_object()) return Fail("is not a JSON object");
    const Json* event = Get(json, "event");
    if (!event) return Point(json);
    if (!event->is_string()) return Fail("'event' is not text");
    return Event(event->get<std::string>(), json);
  }

 private:
  Result<void> Point(const Json& json) {
    LICHEN_TRY(TrainingPoint point, ReadPoint(json));
    if (!run_.points.empty() && point.step <= run_.points.back().step) {
      return Fail("step {} does not come after step {}", point.step, run_.points.back().step);
    }
    if (const std::string name = ScoreName(json); !name.empty()) run_.score_name = name;
    point.seconds += seconds_before_;
    EnterStage(point.stage, run_.points.empty() ? first_step_ : run_.points.back().step);
    run_.points.push_back(std::move(point));
    return {};
  }

  void EnterStage(const std::string& stage, int64_t step) {
    if (stage.empty() || (!run_.stages.empty() && run_.stages.back().name == stage)) return;
    run_.stages.push_back({step, stage});
  }

  Result<void> Event(const std::string& event, const Json& json) {
    int64_t step = run_.points.empty() ? 0 : run_.points.back().step;
    if (Get(json, "step")) {
      LICHEN_TRY(step, ReadStep(json));
    }
    if (event == "start" || event == "resume") {
      LICHEN_TRY_VOID(Start(event == "resume", step, json));
    } else if (event == "skipped") {
      TrainingRun::Skipped skipped;
      LICHEN_TRY_VOID(ReadText(json, "file", skipped.file));
      LICHEN_TRY_VOID(ReadText(json, "reason", skipped.reason));
      const auto is_same = [&](const auto& s) { return s.file == skipped.file; };
      if (std::ranges::none_of(run_.skipped, is_same)) run_.skipped.push_back(std::move(skipped));
    } else if (event == "checkpoint") {
      ++run_.checkpoints;
    } else if (event == "test") {
      LICHEN_TRY_VOID(Test(step, json));
    } else if (event == "end") {
      run_.has_ended = true;
    }
    std::string stage;
    LICHEN_TRY_VOID(ReadText(json, "stage", stage));
    EnterStage(stage, step);
    return {};
  }

  Result<void> Test(int64_t step, const Json& json) {
    if (const std::string name = ScoreName(json); !name.empty()) {
      run_.score_name = name;
      LICHEN_TRY_VOID(ReadNumber(json, name.c_str(), run_.test_score));
    }
    run_.test_step = step;
    return ReadCount(json, "pictures", run_.test_pictures);
  }

  Result<void> Start(bool is_resume, int64_t step, const Json& json) {
    if (is_resume) ++run_.resumes;
    run_.has_ended = false;
    std::erase_if(run_.points, [&](const TrainingPoint& p) { return p.step > step; });
    std::erase_if(run_.stages, [&](const TrainingRun::Stage& s) { return s.first_step > step; });
    if (run_.points.empty()) first_step_ = step;
    seconds_before_ = run_.points.empty() ? 0 : run_.points.back().seconds;
    LICHEN_TRY_VOID(ReadText(json, "device", run_.device));
    LICHEN_TRY_VOID(ReadCount(json, "pictures", run_.pictures));
    if (const Json* recipe = Get(json, "recipe"); recipe && recipe->is_object()) {
      run_.recipe.clear();
      Flatten(*recipe, "", run_.recipe);
    }
    return {};
  }

  TrainingRun& run_;
  int64_t first_step_ = 0;
  double seconds_before_ = 0;
};

}  // namespace

std::string TrainingRun::RecipeValue(std::string_view key) const {
  for (const auto& [name, value] : recipe) {
    if (name == key) return value;
  }
  return "";
}

Result<TrainingRun> ParseTrainingRun(std::string_view text, std::string name) {
  TrainingRun run;
  run.name = std::move(name);
  Reader reader(run);
  const auto is_shallow = [](int depth, Json::parse_event_t, const Json&) {
    return depth <= kMaxJsonDepth;
  };
  int64_t line_number = 0;
  for (size_t at = 0; at < text.size();) {
    ++line_number;
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Json json = Json::parse(line, is_shallow, false);
    if (json.is_discarded() && end == text.size()) {
      run.notes.push_back(fmt::format("line {} is torn and left out", line_number));
      break;
    }
    const std::string place = fmt::format("line {}", line_number);
    if (json.is_discarded()) return Fail("{}: is not JSON", place);
    LICHEN_TRY_VOID(InPlace(place, reader.Line(json)));
  }
  return run;
}

Result<TrainingRun> LoadTrainingRun(const std::filesystem::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, uint64_t{1} << 30));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return InPlace(path.string(), ParseTrainingRun(text, path.string()));
}

}  // namespace lichen
