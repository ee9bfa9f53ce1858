#include "net/int_net.h"

#include "net/float_net.h"

namespace lichen {
namespace {

template <class Named>
const Named* FindNamed(const std::vector<Named>& list, std::string_view name) {
  for (const Named& item : list) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

}  // namespace

const IntGraph* IntNet::Find(std::string_view name) const { return FindNamed(graphs, name); }

const TableSet* IntNet::FindTables(std::string_view name) const { return FindNamed(tables, name); }

const FloatGraph* FloatNet::Find(std::string_view name) const { return FindNamed(graphs, name); }

}  // namespace lichen
