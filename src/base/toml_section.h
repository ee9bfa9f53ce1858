// Reads a table of a TOML file key by key, keeping the first error, which names file, line and key.
//
// Contract: keys that are absent leave their value as it is. Finish() gives the first error; keys
// that nobody asked for are errors too.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "base/result.h"

namespace lichen {

class TomlSection {
 public:
  TomlSection(const toml::table& table, std::string file, std::string name)
      : table_(table), file_(std::move(file)), name_(std::move(name)) {}

  const toml::node* Find(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }

  void Read(std::string_view key, int64_t& value, int64_t min, int64_t max) {
    const toml::node* node = Find(key);
    if (!node) return;
    const auto read = node->value_exact<int64_t>();
    if (!read || *read < min || *read > max) {
      return Refuse(*node, key, fmt::format("must be an integer from {} to {}", min, max));
    }
    value = *read;
  }

  void Read(std::string_view key, double& value, double min, double max) {
    const toml::node* node = Find(key);
    if (!node) return;
    const auto read = node->is_number() ? node->value<double>() : std::nullopt;
    if (!read || !(*read >= min && *read <= max)) {
      return Refuse(*node, key, fmt::format("must be a number from {} to {}", min, max));
    }
    value = *read;
  }

  void Read(std::string_view key, bool& value) {
    const toml::node* node = Find(key);
    if (!node) return;
    const auto read = node->value_exact<bool>();
    if (!read) return Refuse(*node, key, "must be true or false");
    value = *read;
  }

  void Read(std::string_view key, std::string& value) {
    const toml::node* node = Find(key);
    if (!node) return;
    const auto read = node->value_exact<std::string>();
    if (!read || read->empty()) return Refuse(*node, key, "must be a text in quotes");
    value = *read;
  }

  void Read(std::string_view key, std::vector<double>& values, double min, double max) {
    const toml::node* node = Find(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array || array->empty()) return Refuse(*node, key, "must be a list of numbers");
    values.clear();
    for (const toml::node& element : *array) {
      const auto read = element.is_number() ? element.value<double>() : std::nullopt;
      if (!read || !(*read >= min && *read <= max)) {
        return Refuse(element, key, fmt::format("numbers must be from {} to {}", min, max));
      }
      values.push_back(*read);
    }
  }

  void Read(std::string_view key, std::vector<std::string>& values) {
    const toml::node* node = Find(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array) return Refuse(*node, key, "must be a list of texts");
    values.clear();
    for (const toml::node& element : *array) {
      const auto read = element.value_exact<std::string>();
      if (!read || read->empty()) return Refuse(element, key, "must be texts in quotes");
      values.push_back(*read);
    }
  }

  void Refuse(const toml::node& node, std::string_view key, std::string_view reason) {
    RefuseLine(node.source().begin.line, key, reason);
  }

  void Missing(std::string_view key) { RefuseLine(table_.source().begin.line, key, "is missing"); }

  Result<void> Finish() {
    for (const auto& [key, node] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
      RefuseLine(key.source().begin.line, key.str(),
                 fmt::format("unknown key; known are {}", fmt::join(known_, ", ")));
      break;
    }
    if (error_) return tl::unexpected<Error>(*error_);
    return {};
  }

 private:
  void RefuseLine(uint32_t line, std::string_view key, std::string_view reason) {
    if (error_) return;
    const std::string place = name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
    error_ = Error{Error::Kind::kBadInput,
                   fmt::format("{}: line {}: {}: {}", file_, std::max(line, 1U), place, reason)};
  }

  const toml::table& table_;
  std::string file_;
  std::string name_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

}  // namespace lichen
