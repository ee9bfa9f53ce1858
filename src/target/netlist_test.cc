#include "target/netlist.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

std::string Module(const std::string& name, const std::string& ports, const std::string& cells) {
  return R"({"attributes": {}, "ports": {)" + ports + R"(}, "cells": {)" + cells + "}}";
}

std::string Json(const std::string& name, const std::string& ports, const std::string& cells) {
  return R"({"modules": {"FDRE": {"attributes": {"blackbox": "1"}, "ports": {}, "cells": {}}, ")" +
         name + "\": " + Module(name, ports, cells) + "}}";
}

// A cell from (pin, direction, nets) triples.
std::string CellText(const std::string& name, const std::string& type, const std::string& pins,
                     const std::string& directions, const std::string& parameters = "") {
  return "\"" + name + R"(": {"type": ")" + type + R"(", "parameters": {)" + parameters +
         R"(}, "port_directions": {)" + directions + R"(}, "connections": {)" + pins + "}}";
}

std::string Lut(int number, int in, int out) {
  return CellText("lut" + std::to_string(number), "LUT1",
                  R"("I0": [)" + std::to_string(in) + R"(], "O": [)" + std::to_string(out) + "]",
                  R"("I0": "input", "O": "output")");
}

std::string Register(int number, int in, int out) {
  return CellText("ff" + std::to_string(number), "FDRE",
                  R"("D": [)" + std::to_string(in) + R"(], "Q": [)" + std::to_string(out) + "]",
                  R"("D": "input", "Q": "output")");
}

// Sum and carry of 4 bits: S and DI are in + 0 to 3, carry in and out of 1 bit.
std::string Carry(int number, int s, int carry_in, int out) {
  std::string nets;
  std::string outs;
  for (int k = 0; k < 4; ++k) {
    nets += (k ? ", " : "") + std::to_string(s + k);
    outs += (k ? ", " : "") + std::to_string(out + k);
  }
  return CellText("carry" + std::to_string(number), "CARRY4",
                  R"("S": [)" + nets + R"(], "CI": [)" + std::to_string(carry_in) +
                      R"(], "CO": [)" + outs + "]",
                  R"("S": "input", "CI": "input", "CO": "output")");
}

const auto kNothing = [](const std::string&) -> const Netlist* { return nullptr; };

Netlist Parsed(const std::string& text) {
  auto netlist = ParseNetlist(text);
  EXPECT_TRUE(netlist) << netlist.error().message;
  return *netlist;
}

TEST(Netlist, CountsWhatCellsTake) {
  const std::string none = R"("O": [9])";
  const std::string out = R"("O": "output")";
  std::string cells;
  for (const char* type : {"LUT6", "INV", "RAM32M16", "SRL16E", "RAMB18E2", "RAMB36E2", "DSP48E2",
                           "MUXF7", "FDRE", "FDSE"}) {
    cells += (cells.empty() ? "" : ", ") + CellText(type, type, none, out);
  }
  const CellCounts counts = CountCells(Parsed(Json("top", "", cells)));
  EXPECT_EQ(counts.lut, 1 + 1 + 8 + 1);
  EXPECT_EQ(counts.lut_memory, 8 + 1);
  EXPECT_EQ(counts.ff, 2);
  EXPECT_EQ(counts.bram18, 3);
  EXPECT_EQ(counts.dsp, 1);
  EXPECT_EQ((3 * counts).lut, 33);
}

TEST(Netlist, LevelsOfLutsBetweenRegisters) {
  const Netlist netlist =
      Parsed(Json("top", "",
                  Register(0, 20, 2) + ", " + Lut(0, 2, 3) + ", " + Lut(1, 3, 4) + ", " +
                      Register(1, 4, 5) + ", " + Lut(2, 5, 6) + ", " + Register(2, 6, 7)));
  EXPECT_EQ(LogicLevels(netlist, kNothing), 2);
}

TEST(Netlist, ACarryChainIsOneLevel) {
  // A LUT, two cells of one chain, a LUT: 3 levels.
  const Netlist netlist =
      Parsed(Json("top", "",
                  Register(0, 90, 2) + ", " + Lut(0, 2, 10) + ", " + Carry(0, 10, 80, 20) + ", " +
                      Carry(1, 30, 23, 40) + ", " + Lut(1, 43, 50) + ", " + Register(1, 50, 51)));
  EXPECT_EQ(LogicLevels(netlist, kNothing), 3);
  // Where a LUT feeds the second chain's carry it is another chain.
  const Netlist broken =
      Parsed(Json("top", "",
                  Register(0, 90, 2) + ", " + Lut(0, 2, 10) + ", " + Carry(0, 10, 80, 20) + ", " +
                      Lut(2, 23, 24) + ", " + Carry(1, 30, 24, 40) + ", " + Lut(1, 43, 50) + ", " +
                      Register(1, 50, 51)));
  EXPECT_EQ(LogicLevels(broken, kNothing), 5);
}

TEST(Netlist, LowBitsOfAChainDoNotWaitForHighOnes) {
  // The late net 13 is bit 3 of S; bit 0 of the result does not depend on it.
  const std::string late = Lut(0, 2, 3) + ", " + Lut(1, 3, 13) + ", ";
  const Netlist low = Parsed(
      Json("top", "",
           Register(0, 90, 2) + ", " + late + Carry(0, 10, 80, 20) + ", " + Register(1, 20, 51)));
  EXPECT_EQ(LogicLevels(low, kNothing), 1);
  const Netlist high = Parsed(
      Json("top", "",
           Register(0, 90, 2) + ", " + late + Carry(0, 10, 80, 20) + ", " + Register(1, 23, 51)));
  EXPECT_EQ(LogicLevels(high, kNothing), 3);
}

TEST(Netlist, LevelsCrossModules) {
  const Netlist inner = Parsed(Json("inner",
                                    R"("a": {"direction": "input", "bits": [2]},
                                       "z": {"direction": "output", "bits": [3]})",
                                    Lut(0, 2, 3)));
  const std::string instance =
      CellText("u", "inner", R"("a": [5], "z": [6])", R"("a": "input", "z": "output")");
  const Netlist top = Parsed(Json("top", "",
                                  Register(0, 90, 4) + ", " + Lut(0, 4, 5) + ", " + instance +
                                      ", " + Lut(1, 6, 7) + ", " + Register(1, 7, 8)));
  EXPECT_EQ(LogicLevels(top, kNothing), 1);
  EXPECT_EQ(
      LogicLevels(top, [&](const std::string& type) { return type == "inner" ? &inner : nullptr; }),
      3);
}

TEST(Netlist, ADspWithoutRegistersIsThreeLevels) {
  const std::string pins = R"("A": [5], "P": [6])";
  const std::string directions = R"("A": "input", "P": "output")";
  for (const auto& [parameters, levels] :
       {std::pair{R"("MREG": "0000", "PREG": "0000")", 4}, {R"("PREG": "0001")", 1}}) {
    const Netlist netlist = Parsed(Json(
        "top", "",
        Register(0, 90, 4) + ", " + Lut(0, 4, 5) + ", " +
            CellText("dsp", "DSP48E2", pins, directions, parameters) + ", " + Register(1, 6, 8)));
    EXPECT_EQ(LogicLevels(netlist, kNothing), levels) << parameters;
  }
}

TEST(Netlist, ALoopEnds) {
  const Netlist netlist =
      Parsed(Json("top", "", Lut(0, 3, 2) + ", " + Lut(1, 2, 3) + ", " + Register(0, 3, 4)));
  EXPECT_GE(LogicLevels(netlist, kNothing), 1);
}

TEST(Netlist, DamagedTextIsRefused) {
  for (const char* text : {"", "[]", "{}", R"({"modules": {}})", R"({"modules": {"t": {}}})",
                           R"({"modules": {"t": {"ports": {}, "cells": {"c": {"type": 1}}}}})"}) {
    EXPECT_FALSE(ParseNetlist(text)) << text;
  }
}

}  // namespace
}  // namespace lichen
