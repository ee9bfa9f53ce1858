// A file of finished pieces of a search, so that a search that was broken off can go on.
//
// Contract: the first line says what is searched; opening it for anything else is an error. Every
// further line is a name and its result as JSON. A last line that was cut off is dropped.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "base/result.h"

namespace lichen {

class Journal {
 public:
  // Creates it where it is absent. `task` is one line of text.
  static Result<Journal> Open(const std::filesystem::path& path, const std::string& task);
  // What was written under the name, or null.
  const std::string* Find(const std::string& name) const;
  // `json` is one line.
  Result<void> Write(const std::string& name, const std::string& json);

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string> done_;
  std::ofstream out_;
};

}  // namespace lichen
