#include "report/training_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "base/test_path.h"

namespace lichen {
namespace {

using ::testing::HasSubstr;

// A log as `lichen train` writes it, with two rates, two stages, a skipped picture and a resume.
std::string Log() {
  return R"({"event":"start","step":0,"device":"cpu","pictures":7,"recipe":{"model":"bls2017","training":{"steps":40,"lambdas":[0.01,0.1],"batch":2}}}
{"event":"skipped","file":"a<b.png","reason":"a<b.png: too small"}
{"event":"checkpoint","step":0}
{"step":10,"stage":"noise","loss":9,"bpp":1.5,"mse":99,"psnr":28.1,"rates":[{"lambda":0.01,"bpp":1,"mse":100,"psnr":28},{"lambda":0.1,"bpp":2,"mse":98,"psnr":28.2}],"learning_rate":0.001,"gradient_norm":1,"pictures_per_second":4,"seconds":100}
{"step":20,"stage":"noise","loss":8,"bpp":1.4,"mse":90,"psnr":29,"rates":[],"learning_rate":0.001,"gradient_norm":null,"pictures_per_second":4,"seconds":200}
{"event":"resume","step":10,"device":"cpu","pictures":7,"recipe":{"model":"bls2017","training":{"steps":40,"batch":2}}}
{"step":20,"stage":"hard","loss":7,"bpp":1.3,"mse":80,"psnr":30,"rates":[{"lambda":0.1,"bpp":1.3,"mse":80,"psnr":30}],"learning_rate":0.0005,"gradient_norm":1,"pictures_per_second":4,"seconds":50}
{"event":"checkpoint","step":20}
{"event":"end","step":20}
)";
}

TEST(TrainingRun, ReadsEveryLineOfALog) {
  const auto run = ParseTrainingRun(Log(), "run/log.jsonl");
  ASSERT_TRUE(run.has_value()) << run.error().message;
  ASSERT_EQ(run->points.size(), 2u);
  EXPECT_EQ(run->points[1].loss, 7);  // made again by the resumed run
  EXPECT_EQ(run->points[1].seconds, 150);
  ASSERT_EQ(run->stages.size(), 2u);
  EXPECT_EQ(run->stages[1].name, "hard");
  EXPECT_EQ(run->stages[1].first_step, 10);
  EXPECT_EQ(run->resumes, 1);
  EXPECT_EQ(run->checkpoints, 2);
  EXPECT_TRUE(run->has_ended);
  EXPECT_EQ(run->pictures, 7);
  ASSERT_EQ(run->skipped.size(), 1u);
  EXPECT_EQ(run->skipped[0].file, "a<b.png");
  EXPECT_EQ(run->RecipeValue("training.steps"), "40");
  EXPECT_TRUE(run->notes.empty());
}

TEST(TrainingRun, LeavesOutATornLastLineWithANote) {
  const std::string log = Log();
  const auto run = ParseTrainingRun(log + R"({"step":30,"los)", "x");
  ASSERT_TRUE(run.has_value()) << run.error().message;
  EXPECT_EQ(run->points.size(), 2u);
  EXPECT_THAT(run->notes, ::testing::ElementsAre("line 10 is torn and left out"));
  const auto whole = ParseTrainingRun(log + R"({"step":30,"loss":1})", "x");
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_EQ(whole->points.size(), 3u);
}

TEST(TrainingRun, NamesTheLineThatIsBad) {
  const std::pair<const char*, const char*> cases[] = {
      {"nonsense", "line 3: is not JSON"},
      {"[1]", "line 3: is not a JSON object"},
      {"{}", "line 3: has neither 'event' nor 'step'"},
      {R"({"step":9})", "line 3: has a 'step' but no 'loss'"},
      {R"({"step":-1,"loss":1})", "line 3: 'step' is not a whole number"},
      {R"({"step":1.5,"loss":1})", "line 3: 'step' is not a whole number"},
      {R"({"step":9,"loss":"1"})", "line 3: 'loss' is not a number"},
      {R"({"step":9,"loss":1,"stage":2})", "line 3: 'stage' is not text"},
      {R"({"step":9,"loss":1,"rates":{}})", "line 3: 'rates' is not a list"},
      {R"({"step":9,"loss":1,"rates":[3]})", "line 3: 'rates' holds one without 'lambda'"},
      {R"({"step":5,"loss":1})", "line 3: step 5 does not come after step 5"},
      {R"({"event":7})", "line 3: 'event' is not text"},
  };
  for (const auto& [line, words] : cases) {
    const std::string log = std::string("\n{\"step\":5,\"loss\":1}\n") + line + "\n{\"step\":";
    const auto run = ParseTrainingRun(log, "x");
    ASSERT_FALSE(run.has_value()) << line;
    EXPECT_THAT(run.error().message, HasSubstr(words));
  }
  const auto path = TestPath("training_report_test.jsonl");
  ASSERT_TRUE(WriteFile(path, std::string_view("bad\n{}\n")).has_value());
  const auto run = LoadTrainingRun(path);
  std::filesystem::remove(path);
  ASSERT_FALSE(run.has_value());
  EXPECT_THAT(run.error().message, HasSubstr("training_report_test.jsonl: line 1: "));
}

TEST(TrainingRun, DeepNestingIsRefused) {
  const auto run = ParseTrainingRun(std::string(100000, '[') + "\n", "x");
  EXPECT_FALSE(run.has_value());
}

// A log of a search for the widths of a classifier.
std::string SearchLog() {
  return R"({"event":"start","step":0,"device":"cpu","data":"MNIST","pictures":60000,"recipe":{"model":"lenet5","network":{"bitw":"84448"},"training":{"steps":20}}}
{"step":10,"loss":1.5,"accuracy":0.5,"learning_rate":0.003,"pictures_per_second":600,"seconds":10,"cost":480}
{"event":"test","step":10,"accuracy":0.55,"pictures":100}
{"step":20,"loss":0.2,"accuracy":0.75,"learning_rate":0.001,"pictures_per_second":600,"seconds":20,"cost":240}
{"event":"test","step":20,"accuracy":0.8125,"pictures":10000}
{"event":"end","step":20}
)";
}

TEST(TrainingRun, ReadsScoresAndTheLastTest) {
  const auto run = ParseTrainingRun(SearchLog(), "x");
  ASSERT_TRUE(run.has_value()) << run.error().message;
  EXPECT_EQ(run->score_name, "accuracy");
  EXPECT_EQ(run->points[1].score, 0.75);
  EXPECT_EQ(run->points[1].cost, 240);
  EXPECT_EQ(run->test_score, 0.8125);
  EXPECT_EQ(run->test_step, 20);
  EXPECT_EQ(run->test_pictures, 10000);
  EXPECT_FALSE(ParseTrainingRun("{\"event\":\"test\",\"step\":1,\"iou\":\"good\"}\n{}\n", "x"));
  const auto codec = ParseTrainingRun(Log(), "x");
  EXPECT_TRUE(codec->score_name.empty() && std::isnan(codec->test_score));
}

std::vector<TrainingRun> Runs(int count) {
  std::vector<TrainingRun> runs;
  for (int i = 0; i < count; ++i) {
    runs.push_back(*ParseTrainingRun(Log(), fmt::format("run{}/log.jsonl", i)));
  }
  return runs;
}

TEST(TrainingReport, PlotsEveryRateAndMarksStages) {
  const auto plots = TrainingPlots(Runs(1));
  ASSERT_EQ(plots.size(), 4u);
  EXPECT_EQ(plots[0].series.size(), 1u);
  EXPECT_EQ(plots[1].series.size(), 2u);
  EXPECT_EQ(plots[2].series[1].name, "lambda 0.1");
  EXPECT_EQ(plots[2].series[1].points,
            (std::vector<std::pair<double, double>>{{10, 28.2}, {20, 30}}));
  EXPECT_EQ(plots[3].series[0].points.back().second, 0.0005);
  ASSERT_EQ(plots[0].marks.size(), 2u);
  EXPECT_EQ(plots[0].marks[1].label, "hard");
  EXPECT_EQ(plots[0].marks[1].x, 10);
  EXPECT_EQ(TrainingPlots(Runs(2))[1].series.size(), 4u);
}

TEST(TrainingReport, ShowsScoresInPlaceOfRates) {
  std::vector<TrainingRun> runs = {*ParseTrainingRun(SearchLog(), "digits/log.jsonl")};
  auto plots = TrainingPlots(runs);
  ASSERT_EQ(plots.size(), 4u);  // loss, score, cost, learning rate
  EXPECT_EQ(plots[1].y_label, "accuracy");
  ASSERT_EQ(plots[1].series.size(), 2u);
  EXPECT_EQ(plots[1].series[0].points,
            (std::vector<std::pair<double, double>>{{10, 0.5}, {20, 0.75}}));
  EXPECT_EQ(plots[1].series[1].points, (std::vector<std::pair<double, double>>{{20, 0.8125}}));
  EXPECT_EQ(plots[2].series[0].points.back().second, 240);
  for (const std::string& page : {TrainingSvg(runs), TrainingHtml(runs), TrainingMarkdown(runs)}) {
    EXPECT_THAT(page, HasSubstr("0.8125 on 10000 pictures"));
    EXPECT_THAT(page, HasSubstr("84448"));
    EXPECT_THAT(page, ::testing::Not(HasSubstr("PSNR")));
  }
  EXPECT_THAT(TrainingMarkdown(runs), HasSubstr("| 20 |  | 0.2000 | 0.7500 | 0.001 |"));
  // Beside a codec, each has its own.
  runs.push_back(Runs(1)[0]);
  plots = TrainingPlots(runs);
  ASSERT_EQ(plots.size(), 6u);
  EXPECT_EQ(plots[1].series.size(), 2u);  // two rates, and nothing of the classifier
  EXPECT_EQ(plots[3].series.size(), 2u);
}

TEST(TrainingReport, IsOneFileWithPlotsAndTables) {
  const auto runs = Runs(2);
  const std::string svg = TrainingSvg(runs), html = TrainingHtml(runs);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  for (const std::string& page : {svg, html}) {
    for (const char* words : {"Loss", "bit per pixel", "Learning rate", "20 of 40", "2 min 30 s",
                              "run1", "skipped pictures", "hard", "area3"}) {
      EXPECT_THAT(page, HasSubstr(words));
    }
    EXPECT_EQ(page.find("nan"), std::string::npos);
    EXPECT_EQ(page.find("src="), std::string::npos);
    EXPECT_EQ(page.find("href="), std::string::npos);
  }
  EXPECT_THAT(html, HasSubstr("a&lt;b.png"));
  const std::string markdown = TrainingMarkdown(runs);
  EXPECT_THAT(markdown, HasSubstr("| 20 | hard | 7.0000 | 1.3000 | 30.000 | 0.0005 |"));
  EXPECT_EQ(svg, TrainingSvg(runs));
}

TEST(TrainingReport, SurvivesAnEmptyLog) {
  const std::vector<TrainingRun> runs = {*ParseTrainingRun("", "empty.jsonl")};
  for (const std::string& text : {TrainingSvg(runs), TrainingHtml(runs), TrainingMarkdown(runs)}) {
    EXPECT_THAT(text, HasSubstr("empty"));
    EXPECT_EQ(text.find("nan"), std::string::npos);
  }
}

TEST(TrainingReport, ThinsLongCurvesToTheirMeans) {
  TrainingRun run{.name = "long"};
  for (int64_t step = 1; step <= 5000; ++step) {
    run.points.push_back({.step = step, .loss = step % 2 ? 1.0 : 3.0});
  }
  const auto plots = TrainingPlots({run});
  ASSERT_EQ(plots[0].series[0].points.size(), 1000u);
  for (const auto& [x, y] : plots[0].series[0].points) EXPECT_NEAR(y, 2, 0.21);
}

}  // namespace
}  // namespace lichen
