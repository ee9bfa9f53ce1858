#include "train/joined_run.h"

#include <map>
#include <nlohmann/json.hpp>

namespace lichen {
namespace {

using Json = nlohmann::json;

// What has to be the same for all.
Json Common(const Recipe& recipe, const PictureSet& pictures) {
  Json json = Json::parse(ToJson(recipe));
  json.erase("output");
  for (const char* key : {"folder", "workers", "cache_mib"}) json["data"].erase(key);
  json["training"].erase("start_from");
  json["data"]["pictures"] = pictures.picture_count();
  json["data"]["picture_files"] = pictures.Fingerprint();
  return json;
}

}  // namespace

Result<void> CheckSameEverywhere(ProcessGroup& group, const Recipe& recipe,
                                 const PictureSet& pictures) {
  LICHEN_TRY(const std::vector<std::string> texts, group.Gather(Common(recipe, pictures).dump()));
  const Json first = Json::parse(texts[0]);
  for (size_t rank = 1; rank < texts.size(); ++rank) {
    const Json other = Json::parse(texts[rank]);
    const Json difference = Json::diff(first, other);
    if (difference.empty()) continue;
    const std::string path = difference[0]["path"];
    const Json::json_pointer at(path);
    const auto value = [&](const Json& of) {
      return of.contains(at) ? of.at(at).dump() : std::string("nothing");
    };
    return Fail(
        "processes of one run need the same recipe and the same picture files: process {} has {} = "
        "{}, process 0 has {}",
        rank, path.substr(1), value(other), value(first));
  }
  return {};
}

Result<TrainState> SpreadState(ProcessGroup& group, std::optional<TrainState> own,
                               const Recipe& recipe, const torch::Device& device) {
  if (group.size() == 1) return std::move(*own);
  Result<std::string> text;
  if (own) text = ToCheckpoint(recipe, *own);
  LICHEN_TRY_VOID(group.Agree(text));
  LICHEN_TRY(const std::string first, group.BroadcastText(*text));
  Result<TrainState> state;
  if (own) {
    state = std::move(*own);
  } else {
    state = FromCheckpoint(first, recipe, device);
  }
  LICHEN_TRY_VOID(group.Agree(state));
  return state;
}

Result<void> Synchronise(ProcessGroup& group, const TrainState& state) {
  if (group.size() == 1) return {};
  std::map<torch::ScalarType, std::vector<torch::Tensor>> by_type;
  for (const auto& tensors : {state.module->parameters(), state.module->buffers(), state.average,
                              state.optimiser->means, state.optimiser->squares}) {
    for (const torch::Tensor& tensor : tensors) by_type[tensor.scalar_type()].push_back(tensor);
  }
  for (const auto& [type, tensors] : by_type) LICHEN_TRY_VOID(group.Broadcast(tensors));
  return {};
}

}  // namespace lichen
