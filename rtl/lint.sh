#!/bin/sh
# Lints every module as top with Verilator, fatal, and the engine at several parameters; parses
# everything with Yosys if it is there.
#
# Usage: rtl/lint.sh
set -eu
cd "$(dirname "$0")"
sources="tile/tile_pkg.sv $(ls lib/*.sv tile/*.sv props/*_props.sv | grep -v tile_pkg | tr '\n' ' ')"
binds="props/bind_lib.sv props/bind_tile.sv"
status=0

# lint TOP OPTIONS...
lint() {
  top=$1
  shift
  if ! verilator --lint-only -Wall "$@" waivers.vlt --top-module "$top" $sources $binds; then
    echo "lint: $top $* failed"
    status=1
  fi
}

for file in lib/*.sv tile/*.sv props/*_props.sv; do
  module=$(basename "$file" .sv)
  [ "$module" = tile_pkg ] || lint "$module"
done
lint tile_engine -GPif=1 -GPof=8 -GPoy=1 -GPox=1 -GEpilogueLanes=2 -GDmaPorts=1 -GInputBufferWords=16 \
  -GWeightBufferWords=16 -GParameterBufferWords=4 -GMiddleBufferWords=16 -GOutputBufferWords=16
lint tile_engine -GPif=2 -GPof=8 -GPoy=2 -GPox=2 -GEpilogueLanes=4 -GDmaPorts=2
lint tile_engine -GPif=4 -GPof=16 -GPoy=1 -GPox=16 -GEpilogueLanes=8 -GDmaPorts=4 -GInputBufferWords=4096 \
  -GWeightBufferWords=8192 -GParameterBufferWords=64 -GMiddleBufferWords=2048 -GOutputBufferWords=16384
lint tile_engine -GPif=16 -GPof=32 -GPoy=4 -GPox=1 -GEpilogueLanes=16 -GMaxBurstBeats=256 -GInputBufferWords=65536 \
  -GWeightBufferWords=65536 -GParameterBufferWords=4096 -GMiddleBufferWords=65536 -GOutputBufferWords=65536

lint tile_engine -GOperandBits=8 -GPif=4 -GPof=8 -GPoy=2 -GPox=2 -GEpilogueLanes=4
lint tile_engine -GOperandBits=8 -GPif=16 -GPof=16 -GPoy=1 -GPox=4 -GEpilogueLanes=16 -GDmaPorts=1

# The fusion machine: every module at its defaults, the whole at several sizes.
sources="fusion/fusion_pkg.sv $(ls lib/*.sv fusion/*.sv | grep -v fusion_pkg | tr '\n' ' ')"
binds=""
for file in fusion/*.sv; do
  module=$(basename "$file" .sv)
  [ "$module" = fusion_pkg ] || lint "$module"
done
lint fusion_engine -GRows=1
lint fusion_engine -GRows=2 -GColumnSets=4
lint fusion_engine -GRows=16 -GColumns=16 -GColumnSets=2 -GInputWords=1024 -GWeightWords=256 -GStepWords=256 \
  -GParameterWords=64 -GOutputWords=2048 -GProgramWords=256
if command -v yosys >/dev/null; then
  yosys -q -p "read_verilog -sv $sources; hierarchy -check -top fusion_engine" || status=1
fi

sources="tile/tile_pkg.sv $(ls lib/*.sv tile/*.sv props/*_props.sv | grep -v tile_pkg | tr '\n' ' ')"
if command -v yosys >/dev/null; then
  yosys -q -p "read_verilog -sv $sources; hierarchy -check -top tile_engine" || status=1
fi
[ $status = 0 ] && echo "lint: clean"
exit $status
