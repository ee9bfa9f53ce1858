#include "accel/common/plan_container.h"
#include "accel/fusion/plan.h"

namespace lichen::fusion {
namespace {

constexpr const char* kFamily = "fusion";

}  // namespace

Result<void> SavePlan(const std::filesystem::path& path, const Plan& plan) {
  return accel::WritePlanFile(path, {.family = kFamily,
                                     .design = ToToml(plan.design),
                                     .board = ToToml(plan.board),
                                     .graph = plan.graph,
                                     .height_px = plan.picture.h,
                                     .width_px = plan.picture.w,
                                     .constants_hash = accel::HashOf(plan.constants),
                                     .net = plan.net});
}

Result<Plan> LoadPlan(const std::filesystem::path& path) {
  const std::string place = path.string();
  LICHEN_TRY(accel::PlanFile file, accel::ReadPlanFile(path));
  if (file.family != kFamily) {
    return Fail("{}: family '{}' is not '{}'", place, file.family, kFamily);
  }
  LICHEN_TRY(const Design design, ParseDesign(file.design, place));
  LICHEN_TRY(const Board board, ParseBoard(file.board, place));
  LICHEN_TRY(Compiled compiled, InPlace(place, Compile(std::move(file.net), file.graph, design,
                                                       board, {file.height_px, file.width_px})));
  if (!compiled.fit.ok || accel::HashOf(compiled.plan.constants) != file.constants_hash) {
    return Fail("{}: was compiled by another version of this program; compile it again", place);
  }
  return std::move(compiled.plan);
}

}  // namespace lichen::fusion
