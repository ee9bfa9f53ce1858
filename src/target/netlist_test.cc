#include "target/netlist.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace lichen {
namespace {

// A module of these ports and cells, beside one of the library.
std::string Json(const std::string& name, const std::string& ports, const std::string& cells) {
  return fmt::format(
      R"({{"modules": {{"FDRE": {{"attributes": {{"blackbox": "1"}}, "ports": {{}}, "cells": {{}}}},
          "{}": {{"attributes": {{}}, "ports": {{{}}}, "cells": {{{}}}}}}}}})",
      name, ports, cells);
}

std::string CellText(const std::string& name, const std::string& type, const std::string& pins,
                     const std::string& directions, const std::string& parameters = "") {
  return fmt::format(
      R"("{}": {{"type": "{}", "parameters": {{{}}}, "port_directions": {{{}}}, "connections": {{{}}}}})",
      name, type, parameters, directions, pins);
}

std::string Lut(int number, int in, int out) {
  return CellText(fmt::format("lut{}", number), "LUT1",
                  fmt::format(R"("I0": [{}], "O": [{}])", in, out),
                  R"("I0": "input", "O": "output")");
}

std::string Register(int number, int in, int out) {
  return CellText(fmt::format("ff{}", number), "FDRE",
                  fmt::format(R"("D": [{}], "Q": [{}])", in, out),
                  R"("D": "input", "Q": "output")");
}

// S is nets s to s + 3, CO is out to out + 3.
std::string Carry(int number, int s, int carry_in, int out) {
  return CellText(fmt::format("carry{}", number), "CARRY4",
                  fmt::format(R"("S": [{}, {}, {}, {}], "CI": [{}], "CO": [{}, {}, {}, {}])", s,
                              s + 1, s + 2, s + 3, carry_in, out, out + 1, out + 2, out + 3),
                  R"("S": "input", "CI": "input", "CO": "output")");
}

std::string Join(const std::vector<std::string>& cells) {
  return fmt::format("{}", fmt::join(cells, ", "));
}

const auto kNothing = [](const std::string&) -> const Netlist* { return nullptr; };

Netlist Parsed(const std::string& text) {
  auto netlist = ParseNetlist(text);
  EXPECT_TRUE(netlist) << netlist.error().message;
  return *netlist;
}

TEST(Netlist, CountsWhatCellsTake) {
  std::vector<std::string> cells;
  for (const char* type : {"LUT6", "INV", "RAM32M16", "SRL16E", "RAMB18E2", "RAMB36E2", "DSP48E2",
                           "MUXF7", "FDRE", "FDSE"}) {
    cells.push_back(CellText(type, type, R"("O": [9])", R"("O": "output")"));
  }
  const CellCounts counts = CountCells(Parsed(Json("top", "", Join(cells))));
  EXPECT_EQ(counts.lut, 1 + 1 + 8 + 1);
  EXPECT_EQ(counts.lut_memory, 8 + 1);
  EXPECT_EQ(counts.ff, 2);
  EXPECT_EQ(counts.bram18, 3);
  EXPECT_EQ(counts.dsp, 1);
  EXPECT_EQ((3 * counts).lut, 33);
}

int64_t LevelsOf(const std::vector<std::string>& cells) {
  return LogicLevels(Parsed(Json("top", "", Join(cells))), kNothing);
}

TEST(Netlist, LevelsAreLutsBetweenRegisters) {
  EXPECT_EQ(LevelsOf({Register(0, 20, 2), Lut(0, 2, 3), Lut(1, 3, 4), Register(1, 4, 5),
                      Lut(2, 5, 6), Register(2, 6, 7)}),
            2);
}

TEST(Netlist, ACarryChainIsOneLevel) {
  EXPECT_EQ(LevelsOf({Register(0, 90, 2), Lut(0, 2, 10), Carry(0, 10, 80, 20), Carry(1, 30, 23, 40),
                      Lut(1, 43, 50), Register(1, 50, 51)}),
            3);
  // Where a LUT feeds the second carry, that is a chain of its own.
  EXPECT_EQ(LevelsOf({Register(0, 90, 2), Lut(0, 2, 10), Carry(0, 10, 80, 20), Lut(2, 23, 24),
                      Carry(1, 30, 24, 40), Lut(1, 43, 50), Register(1, 50, 51)}),
            5);
}

TEST(Netlist, LowBitsOfAChainDoNotWaitForHighOnes) {
  // Net 13, bit 3 of S, is late.
  EXPECT_EQ(LevelsOf({Register(0, 90, 2), Lut(0, 2, 3), Lut(1, 3, 13), Carry(0, 10, 80, 20),
                      Register(1, 20, 51)}),
            1);
  EXPECT_EQ(LevelsOf({Register(0, 90, 2), Lut(0, 2, 3), Lut(1, 3, 13), Carry(0, 10, 80, 20),
                      Register(1, 23, 51)}),
            3);
}

TEST(Netlist, LevelsCrossModules) {
  const Netlist inner = Parsed(Json("inner",
                                    R"("a": {"direction": "input", "bits": [2]},
                                       "z": {"direction": "output", "bits": [3]})",
                                    Lut(0, 2, 3)));
  const std::string instance =
      CellText("u", "inner", R"("a": [5], "z": [6])", R"("a": "input", "z": "output")");
  const Netlist top = Parsed(
      Json("top", "",
           Join({Register(0, 90, 4), Lut(0, 4, 5), instance, Lut(1, 6, 7), Register(1, 7, 8)})));
  EXPECT_EQ(LogicLevels(top, kNothing), 1);
  EXPECT_EQ(
      LogicLevels(top, [&](const std::string& type) { return type == "inner" ? &inner : nullptr; }),
      3);
}

TEST(Netlist, ADspWithoutRegistersIsThreeLevels) {
  for (const auto& [parameters, levels] :
       {std::pair{R"("MREG": "0000", "PREG": "0000")", 4}, {R"("PREG": "0001")", 1}}) {
    const std::string dsp = CellText("dsp", "DSP48E2", R"("A": [5], "P": [6])",
                                     R"("A": "input", "P": "output")", parameters);
    EXPECT_EQ(LevelsOf({Register(0, 90, 4), Lut(0, 4, 5), dsp, Register(1, 6, 8)}), levels)
        << parameters;
  }
}

TEST(Netlist, ALoopEnds) {
  EXPECT_GE(LevelsOf({Lut(0, 3, 2), Lut(1, 2, 3), Register(0, 3, 4)}), 1);
}

TEST(Netlist, DamagedTextIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"modules": {}})", R"({"modules": {"t": {}}})",
                           R"({"modules": {"t": {"ports": {}, "cells": {"c": {"type": 1}}}}})"}) {
    EXPECT_FALSE(ParseNetlist(text)) << text;
  }
}

}  // namespace
}  // namespace lichen
