#!/bin/sh
# Builds and runs the test of the fusion unit. Whole machines run in tests/fusion_rtl_test.cc.
#
# Usage: rtl/tb/run_fusion_tests.sh [SEED]; BUILD_DIR: default build/rtl.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/rtl}
mkdir -p "$build"
verilator --cc --exe --build -j 2 --assert -O3 -Mdir "$build/fusion_unit" --top-module fusion_unit -o fusion_unit_test \
  -CFLAGS "-std=c++20 -O2" "$root/rtl/fusion/fusion_pkg.sv" "$root/rtl/fusion/fusion_brick.sv" \
  "$root/rtl/fusion/fusion_unit.sv" -Wno-UNUSEDPARAM "$root/rtl/tb/fusion_unit_test.cc" >"$build/fusion_unit.log" 2>&1 ||
  { tail -30 "$build/fusion_unit.log"; exit 1; }
"$build/fusion_unit/fusion_unit_test" "$@"
