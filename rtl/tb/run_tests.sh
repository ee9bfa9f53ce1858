#!/bin/sh
# Builds and runs the tests of the tile engine: arithmetic, DMA, and whole engines of several
# designs.
#
# Usage: rtl/tb/run_tests.sh [PROGRAMS]   random programs per design (default 30). BUILD_DIR:
# default build/rtl; DESIGNS: names of the engines to run, default all.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$root/build/rtl}
programs=${1:-30}
jobs=${JOBS:-1}
mkdir -p "$build"
flags="-std=c++20 -O2 -I$root/src -I$root/rtl/tb -I$root/sw"
props=$root/rtl/props
lib="$(ls "$root"/rtl/lib/*.sv) $props/axi_address_props.sv $props/axi_write_data_props.sv $props/stream_props.sv $props/bind_lib.sv"
sources="$root/rtl/tile/tile_pkg.sv $(ls "$root"/rtl/tile/*.sv | grep -v tile_pkg) $lib \
  $props/tile_tokens_props.sv $props/tile_buffer_props.sv $props/bind_tile.sv"

# verilate NAME TOP OPTIONS... FILES...: a test program from a top module.
verilate() {
  name=$1
  top=$2
  shift 2
  verilator --cc --exe --build -j "$jobs" --assert -O3 --x-initial unique -Wno-fatal -Mdir "$build/$name" --top-module "$top" \
    --prefix "V$top" -o "$name" "$@" >"$build/$name.log" 2>&1 || { tail -30 "$build/$name.log"; exit 1; }
}

# The C++ side, once.
host="$build/host"
mkdir -p "$host"
for file in src/accel/tile/machine.cc src/accel/tile/instruction.cc src/accel/tile/clock.cc src/accel/tile/clock_memory.cc src/accel/tile/clock_load.cc src/accel/tile/clock_store.cc src/base/check.cc rtl/tb/random_program.cc; do
  object="$host/$(basename "$file" .cc).o"
  if [ ! -e "$object" ] || [ -n "$(find "$root/$file" "$root/src/accel/tile" "$root/rtl/tb" -name '*.[hc]*' -newer "$object" | head -1)" ]; then
    g++ $flags -c "$root/$file" -o "$object"
  fi
done
ar rcs "$host/host.a" "$host"/*.o

# verilate_library TOP OPTIONS... FILES...: a second top of a test program.
verilate_library() {
  top=$1
  shift
  verilator --cc --build -j "$jobs" --assert -O3 --x-initial unique -Wno-fatal -Mdir "$build/$top" --top-module "$top" "$@" \
    >"$build/$top.log" 2>&1 || { tail -30 "$build/$top.log"; exit 1; }
}

verilate_library gdn_divider $lib
verilate arithmetic_test requantiser -CFLAGS "$flags -I$build/gdn_divider" $lib "$root/rtl/tb/arithmetic_test.cc" \
  "$build/gdn_divider/Vgdn_divider__ALL.a"
"$build/arithmetic_test/arithmetic_test"

dma_test() {
  verilate_library axi_write_dma -GMaxBurstBeats=256 $lib
  verilate dma_test axi_read_dma -GMaxBurstBeats=256 -GFifoBeats=512 -CFLAGS "$flags -I$build/axi_write_dma" $lib \
    "$root/rtl/tb/dma_test.cc" "$build/axi_write_dma/Vaxi_write_dma__ALL.a"
  "$build/dma_test/dma_test"
}
dma_test

# breach PROPERTY FILE RIGHT WRONG: a fault planted in a file of lib/ must end at a property.
breach() (
  build="$build/breach_$1"
  rm -rf "$build"
  mkdir -p "$build"
  sed "s/$3/$4/" "$root/rtl/lib/$2" >"$build/$2"
  ! cmp -s "$root/rtl/lib/$2" "$build/$2" || { echo "FAILED: $2 holds no '$3'"; exit 1; }
  lib=$(for file in $lib; do [ "$file" = "$root/rtl/lib/$2" ] && echo "$build/$2" || echo "$file"; done)
  if dma_test >"$build/out" 2>&1 || ! grep -q "Assertion failed in .*$1" "$build/out"; then
    echo "FAILED: $1 does not find the fault of $2"
    tail -5 "$build/out"
    exit 1
  fi
  echo "passed: $1 finds a fault of $2"
)
breach burst_stays_in_4_kib burst_splitter.sv "9'd256 - " "9'd257 - "
breach data_keeps_its_value axi_write_dma.sv "if (take) begin" "if (beat_valid_i) begin"
breach no_underflow stream_fifo.sv "write_q != read_q" "1'b1"

# engine NAME PIF POF POY POX E INPUT WEIGHT PARAMETER MIDDLE OUTPUT PORTS BITS: a design, and
# random programs on it.
engine() {
  name=$1
  case " ${DESIGNS:-$name} " in *" $name "*) ;; *) return ;; esac
  [ ! -e "$build/$name/$name" ] || touch -d @0 "$build/$name/$name"  # make does not see that host.a is newer
  verilate "$name" tile_engine -GPif="$2" -GPof="$3" -GPoy="$4" -GPox="$5" -GEpilogueLanes="$6" \
    -GInputBufferWords="$7" -GWeightBufferWords="$8" -GParameterBufferWords="$9" -GMiddleBufferWords="${10}" \
    -GOutputBufferWords="${11}" -GDmaPorts="${12}" -GOperandBits="${13}" -GDmaFifoBeats=64 -GMaxBurstBeats=16 -MAKEFLAGS "OPT_FAST=-O2" -LDFLAGS "$host/host.a -lfmt" \
    -CFLAGS "$flags -DPIF=$2 -DPOF=$3 -DPOY=$4 -DPOX=$5 -DEPILOGUE_LANES=$6 -DINPUT_WORDS=$7 -DWEIGHT_WORDS=$8 -DPARAMETER_WORDS=$9 -DMIDDLE_WORDS=${10} -DOUTPUT_WORDS=${11} -DPORTS=${12} -DOPERAND_BITS=${13}" \
    $sources "$root/rtl/tb/tile_harness.cc" "$root/rtl/tb/engine_test.cc" "$root/rtl/tb/timing_test.cc" \
    "$root/rtl/tb/fault_test.cc" "$root/sw/driver.cc"
  printf '%s: ' "$name"
  "$build/$name/$name" "$programs"
}

engine engine_2x4_1x4 2 4 1 4 2 1024 512 64 256 512 4 16
engine engine_4x8_2x2 4 8 2 2 4 1024 512 64 256 512 2 16
engine engine_2x8_3x2 2 8 3 2 4 1024 512 48 200 700 1 16
# More elements per word than per beat, and one pixel.
engine engine_16x16_1x1 16 16 1 1 16 2048 512 64 256 512 4 16
engine engine_4x8_1x2_8bit 4 8 1 2 4 1024 512 64 256 512 4 8
engine engine_8x8_2x1_8bit 8 8 2 1 4 1024 512 64 256 512 1 8
