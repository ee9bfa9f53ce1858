// Made-up pictures with one object each: textured cut-outs on photographs, for detection where no labelled set is there.
//
// READ ME FIRST: these are no natural pictures, and a score on them says nothing about natural ones.
//
// Contract: a scene is determined by photographs, boxes, seed, split and number alone. Of the photographs, in the order of
// their names, every fifth is for tests: none serves both training and tests, neither as background nor as texture. Sizes
// and positions of objects follow a list of labelled boxes.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "data/boxes.h"
#include "data/labelled_pictures.h"
#include "image/image.h"
#include "train/crop.h"

namespace lichen {

inline constexpr int64_t kSceneWidth = 640;
inline constexpr int64_t kSceneHeight = 360;

struct Scene {
  Image picture;  // kSceneWidth x kSceneHeight, RGB, 8 bit
  Box box;
};

class SceneSet {
 public:
  // `boxes` lie within a scene. Pictures of the folder that cannot be read are left out. Error unless two photographs
  // are left for each split.
  static Result<SceneSet> Open(const std::filesystem::path& photographs, std::vector<Box> boxes,
                               uint64_t seed, const Threads& threads);
  Scene Make(Split split, int64_t number) const;
  int64_t photograph_count(Split split) const;

 private:
  std::vector<RgbPicture> training_;
  std::vector<RgbPicture> test_;
  std::vector<Box> boxes_;
  uint64_t seed_ = 0;
};

}  // namespace lichen
