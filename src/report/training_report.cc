#include "report/training_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>

namespace lichen {
namespace {

using Points = std::vector<std::pair<double, double>>;
using Value = std::function<double(const TrainingPoint&)>;

constexpr size_t kMaxPoints = 1000;
constexpr size_t kMaxSkippedShown = 50;
constexpr size_t kMarkdownRows = 12;

std::string Number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : std::string("-");
}

std::string Duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  const auto whole = static_cast<int64_t>(std::min(seconds, 1e15));
  if (whole < 60) return fmt::format("{:.1f} s", seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

// Names that tell the runs apart: that of the log, or of its folder where it has the trainer's name
// log.jsonl; where those are equal, the paths.
std::vector<std::string> ShortNames(const std::vector<TrainingRun>& runs) {
  std::map<std::string, int> counts;
  const auto stem = [](const TrainingRun& run) {
    const std::filesystem::path path(run.name);
    const std::filesystem::path folder = path.parent_path().filename();
    return path.filename() == "log.jsonl" && !folder.empty() ? folder.string()
                                                             : path.stem().string();
  };
  for (const TrainingRun& run : runs) ++counts[stem(run)];
  std::vector<std::string> names;
  for (const TrainingRun& run : runs) {
    names.push_back(counts[stem(run)] == 1 ? stem(run) : run.name);
  }
  return names;
}

// Means of equal parts where there are many; values that are not finite do not count.
Points Thinned(const Points& points) {
  if (points.size() <= kMaxPoints) return points;
  Points thin;
  for (size_t part = 0; part < kMaxPoints; ++part) {
    double x = 0, y = 0, count = 0;
    for (size_t i = part * points.size() / kMaxPoints; i < (part + 1) * points.size() / kMaxPoints;
         ++i) {
      if (!std::isfinite(points[i].second)) continue;
      x += points[i].first, y += points[i].second, ++count;
    }
    if (count > 0) thin.emplace_back(x / count, y / count);
  }
  return thin;
}

PlotSeries SeriesOf(const TrainingRun& run, std::string name, const Value& value) {
  Points points;
  for (const TrainingPoint& p : run.points) {
    points.emplace_back(static_cast<double>(p.step), value(p));
  }
  return {.name = std::move(name), .points = Thinned(points), .style = PlotSeries::Style::kLine};
}

// One series for each rate; of a single rate, or none, one for the mean.
void AppendRates(const TrainingRun& run, const std::string& prefix,
                 double TrainingPoint::Rate::*field, double TrainingPoint::*mean,
                 std::vector<PlotSeries>& series) {
  std::map<double, Points> rates;
  for (const TrainingPoint& p : run.points) {
    for (const TrainingPoint::Rate& r : p.rates) {
      rates[r.lambda].emplace_back(static_cast<double>(p.step), r.*field);
    }
  }
  if (rates.empty()) {
    series.push_back(SeriesOf(run, prefix + "mean", [mean](const auto& p) { return p.*mean; }));
  }
  for (const auto& [lambda, points] : rates) {
    series.push_back({.name = fmt::format("{}lambda {:g}", prefix, lambda),
                      .points = Thinned(points),
                      .style = PlotSeries::Style::kLine});
  }
}

// The stages of all runs; of one run only where there is something to tell.
std::vector<PlotMark> Marks(const std::vector<TrainingRun>& runs,
                            const std::vector<std::string>& names) {
  std::vector<PlotMark> marks;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const TrainingRun::Stage& stage : runs[i].stages) {
      marks.push_back({static_cast<double>(stage.first_step),
                       runs.size() == 1 ? stage.name : names[i] + ": " + stage.name});
    }
  }
  return marks;
}

std::string Stages(const TrainingRun& run) {
  std::string text;
  for (const TrainingRun::Stage& stage : run.stages) {
    text += fmt::format("{}{} from {}", text.empty() ? "" : ", ", stage.name, stage.first_step);
  }
  return text;
}

std::string State(const TrainingRun& run) {
  const std::string planned = run.RecipeValue("training.steps");
  const int64_t step = run.points.empty() ? 0 : run.points.back().step;
  std::string text = fmt::format("{}", step);
  if (!planned.empty()) text += " of " + planned;
  return text + (run.has_ended ? "" : ", no end logged");
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += fmt::format("{}{}", text.empty() ? "" : "; ", part);
  return text;
}

std::string Html(const Table& table) {
  std::string out = "<table>\n<tr>";
  for (const std::string& cell : table.header)
    out += fmt::format("<th>{}</th>", EscapeMarkup(cell));
  out += "</tr>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (const std::string& cell : row) out += fmt::format("<td>{}</td>", EscapeMarkup(cell));
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

std::string MarkdownCell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '<' || c == '`' || c == '*' || c == '_') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string Markdown(const Table& table) {
  std::string out = "|";
  for (const std::string& cell : table.header) out += fmt::format(" {} |", MarkdownCell(cell));
  out += "\n|";
  for (size_t i = 0; i < table.header.size(); ++i) out += " --- |";
  for (const auto& row : table.rows) {
    out += "\n|";
    for (const std::string& cell : row) out += fmt::format(" {} |", MarkdownCell(cell));
  }
  return out + "\n";
}

// The run at about a dozen steps, first and last among them.
Table Progress(const TrainingRun& run) {
  const bool is_codec = run.score_name.empty();
  Table table{.header = {"step", "stage", "loss"}, .rows = {}};
  if (is_codec) {
    table.header.insert(table.header.end(), {"bpp", "PSNR dB"});
  } else {
    table.header.push_back(run.score_name);
  }
  table.header.push_back("learning rate");
  const size_t count = run.points.size(), rows = std::min(count, kMarkdownRows);
  for (size_t i = 0; i < rows; ++i) {
    const TrainingPoint& p = run.points[rows == 1 ? 0 : i * (count - 1) / (rows - 1)];
    std::vector<std::string> row = {fmt::format("{}", p.step), p.stage, Number(p.loss, 4)};
    if (is_codec) {
      row.insert(row.end(), {Number(p.bpp, 4), Number(p.psnr_db, 3)});
    } else {
      row.push_back(Number(p.score, 4));
    }
    row.push_back(std::isfinite(p.learning_rate) ? fmt::format("{:.3g}", p.learning_rate) : "-");
    table.rows.push_back(std::move(row));
  }
  return table;
}

// "accuracy", "iou" or both: what the runs' scores are.
std::string ScoreNames(const std::vector<TrainingRun>& runs) {
  std::vector<std::string> names;
  for (const TrainingRun& run : runs) {
    if (run.score_name.empty() || std::ranges::find(names, run.score_name) != names.end()) continue;
    names.push_back(run.score_name);
  }
  return Join(names);
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The longest skipped lists are cut; the summary has the number.
Table FirstSkipped(const std::vector<TrainingRun>& runs) {
  Table table = TrainingSkipped(runs);
  if (table.rows.size() > kMaxSkippedShown) table.rows.resize(kMaxSkippedShown);
  return table;
}

}  // namespace

std::vector<Plot> TrainingPlots(const std::vector<TrainingRun>& runs) {
  const std::vector<std::string> names = ShortNames(runs);
  const auto plot = [&](const char* title, std::string y_label, bool has_log_y) {
    return Plot{.title = title,
                .x_label = "step",
                .y_label = std::move(y_label),
                .series = {},
                .marks = Marks(runs, names),
                .has_log_y = has_log_y,
                .height_px = 340};
  };
  Plot loss = plot("Loss", "loss", true), bpp = plot("Rate", "bit per pixel", false);
  Plot psnr = plot("Distortion", "PSNR in dB", false);
  Plot score = plot("Score", ScoreNames(runs), false), cost = plot("Cost", "cost", false);
  Plot learning = plot("Learning rate", "learning rate", true);
  for (size_t i = 0; i < runs.size(); ++i) {
    const TrainingRun& run = runs[i];
    const std::string prefix = runs.size() == 1 ? "" : names[i] + ", ";
    loss.series.push_back(SeriesOf(run, names[i], [](const auto& p) { return p.loss; }));
    learning.series.push_back(
        SeriesOf(run, names[i], [](const auto& p) { return p.learning_rate; }));
    if (run.score_name.empty()) {
      AppendRates(run, prefix, &TrainingPoint::Rate::bpp, &TrainingPoint::bpp, bpp.series);
      AppendRates(run, prefix, &TrainingPoint::Rate::psnr_db, &TrainingPoint::psnr_db, psnr.series);
      continue;
    }
    score.series.push_back(
        SeriesOf(run, prefix + "training", [](const auto& p) { return p.score; }));
    if (std::isfinite(run.test_score)) {
      score.series.push_back({.name = prefix + "test",
                              .points = {{static_cast<double>(run.test_step), run.test_score}},
                              .style = PlotSeries::Style::kLineAndMarkers});
    }
    if (std::ranges::any_of(run.points, [](const auto& p) { return std::isfinite(p.cost); })) {
      cost.series.push_back(SeriesOf(run, names[i], [](const auto& p) { return p.cost; }));
    }
  }
  std::vector<Plot> plots = {std::move(loss)};
  for (Plot* one : {&bpp, &psnr, &score, &cost}) {
    if (!one->series.empty()) plots.push_back(std::move(*one));
  }
  plots.push_back(std::move(learning));
  return plots;
}

Table TrainingSummary(const std::vector<TrainingRun>& runs) {
  Table table{.header = {""}, .rows = {}};
  for (const std::string& name : ShortNames(runs)) table.header.push_back(name);
  const auto row = [&](const char* what, const auto& tell) {
    std::vector<std::string> cells = {what};
    bool is_known = false;
    for (const TrainingRun& run : runs) {
      cells.push_back(tell(run));
      is_known = is_known || !cells.back().empty();
    }
    if (is_known) table.rows.push_back(std::move(cells));
  };
  const auto last = [](double TrainingPoint::*field, int digits) {
    return [field, digits](const TrainingRun& run) {
      return run.points.empty() ? std::string() : Number(run.points.back().*field, digits);
    };
  };
  for (const char* key : {"model", "network.bitw", "network.bita", "training.lambdas",
                          "training.batch", "data.crop_px", "training.seed"}) {
    row(key, [key](const TrainingRun& run) { return run.RecipeValue(key); });
  }
  row("device", [](const TrainingRun& run) { return run.device; });
  row("steps", State);
  row("stages", Stages);
  row("time", [](const TrainingRun& run) {
    return run.points.empty() ? std::string() : Duration(run.points.back().seconds);
  });
  row("pictures per second", last(&TrainingPoint::pictures_per_second, 1));
  row("pictures", [](const TrainingRun& run) { return fmt::format("{}", run.pictures); });
  row("skipped pictures", [](const TrainingRun& r) { return fmt::format("{}", r.skipped.size()); });
  row("checkpoints", [](const TrainingRun& run) { return fmt::format("{}", run.checkpoints); });
  row("resumed", [](const TrainingRun& run) { return fmt::format("{}", run.resumes); });
  row("last loss", last(&TrainingPoint::loss, 4));
  const auto figure = [](bool is_codec, double TrainingPoint::*field, int digits) {
    return [is_codec, field, digits](const TrainingRun& run) {
      if (run.points.empty() || run.score_name.empty() != is_codec) return std::string();
      return Number(run.points.back().*field, digits);
    };
  };
  row("last bit per pixel", figure(true, &TrainingPoint::bpp, 4));
  row("last PSNR dB", figure(true, &TrainingPoint::psnr_db, 3));
  row("score", [](const TrainingRun& run) { return run.score_name; });
  row("last score of training", figure(false, &TrainingPoint::score, 4));
  row("score of the test", [](const TrainingRun& run) {
    if (run.score_name.empty() || !std::isfinite(run.test_score)) return std::string();
    return fmt::format("{:.4f} on {} pictures", run.test_score, run.test_pictures);
  });
  row("notes", [](const TrainingRun& run) { return Join(run.notes); });
  return table;
}

Table TrainingRates(const std::vector<TrainingRun>& runs) {
  Table table{.header = {"run", "lambda", "bpp", "mse", "PSNR dB"}, .rows = {}};
  const std::vector<std::string> names = ShortNames(runs);
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].points.empty()) continue;
    for (const TrainingPoint::Rate& r : runs[i].points.back().rates) {
      table.rows.push_back({names[i], fmt::format("{:g}", r.lambda), Number(r.bpp, 4),
                            Number(r.mse, 3), Number(r.psnr_db, 3)});
    }
  }
  return table;
}

Table TrainingSkipped(const std::vector<TrainingRun>& runs) {
  Table table{.header = {"run", "skipped", "reason"}, .rows = {}};
  const std::vector<std::string> names = ShortNames(runs);
  for (size_t i = 0; i < runs.size(); ++i) {
    for (const TrainingRun::Skipped& skipped : runs[i].skipped) {
      table.rows.push_back({names[i], skipped.file, skipped.reason});
    }
  }
  return table;
}

std::string TrainingSvg(const std::vector<TrainingRun>& runs) {
  std::vector<std::string> lines = Lines(ToText(TrainingSummary(runs)));
  const Table rates = TrainingRates(runs);
  if (!rates.rows.empty()) {
    lines.emplace_back();
    for (std::string& line : Lines(ToText(rates))) lines.push_back(std::move(line));
  }
  return StackSvg(TrainingPlots(runs), lines);
}

std::string TrainingHtml(const std::vector<TrainingRun>& runs) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<title>Training report</title>\n<style>\n"
      "body { font-family: sans-serif; max-width: 940px; margin: 2em auto; }\n"
      "table { border-collapse: collapse; margin: 1em 0; }\n"
      "th, td { border-bottom: 1px solid #ccc; padding: 3px 10px; text-align: left; }\n"
      "</style>\n</head>\n<body>\n<h1>Training report</h1>\n";
  out += Html(TrainingSummary(runs));
  if (const Table rates = TrainingRates(runs); !rates.rows.empty()) {
    out += "<h2>Rates, last line</h2>\n" + Html(rates);
  }
  out += "<h2>Over steps</h2>\n" + StackSvg(TrainingPlots(runs));
  if (const Table skipped = FirstSkipped(runs); !skipped.rows.empty()) {
    out += "<h2>Skipped pictures</h2>\n" + Html(skipped);
  }
  for (const TrainingRun& run : runs) {
    if (run.recipe.empty()) continue;
    Table recipe{.header = {"recipe", "value"}, .rows = {}};
    for (const auto& [key, value] : run.recipe) recipe.rows.push_back({key, value});
    out += "<details><summary>Recipe of " + EscapeMarkup(run.name) + "</summary>\n" + Html(recipe) +
           "</details>\n";
  }
  return out + "</body>\n</html>\n";
}

std::string TrainingMarkdown(const std::vector<TrainingRun>& runs) {
  std::string out = "# Training report\n\n" + Markdown(TrainingSummary(runs));
  if (const Table rates = TrainingRates(runs); !rates.rows.empty()) {
    out += "\n## Rates, last line\n\n" + Markdown(rates);
  }
  for (const TrainingRun& run : runs) {
    out += "\n## " + MarkdownCell(run.name) + "\n\n" + Markdown(Progress(run));
  }
  if (const Table skipped = FirstSkipped(runs); !skipped.rows.empty()) {
    out += "\n## Skipped pictures\n\n" + Markdown(skipped);
  }
  return out;
}

}  // namespace lichen
