#!/bin/sh
# Synthesises the main blocks at small sizes with Yosys for UltraScale+ and prints what they take.
#
# Contract: fails if the array does not keep exactly Pif * Pof * Poy * Pox DSP48E2, or a block RAM
# became registers.
# Usage: rtl/synth_check.sh [TOP...]   default: all below. The counts are Yosys', not Vivado's.
set -eu
cd "$(dirname "$0")"
sources="tile/tile_pkg.sv $(ls lib/*.sv tile/*.sv | grep -v tile_pkg | tr '\n' ' ')"
log=${TMPDIR:-/tmp}/synth_check.$$
trap 'rm -f "$log"' EXIT
wanted="$*"

# synth TOP DSP48E2_OR_- PARAMETERS...: DSP48E2 is the number that the block must have.
synth() {
  top=$1
  dsp=$2
  shift 2
  if [ -n "$wanted" ]; then
    case " $wanted " in *" $top "*) ;; *) return 0 ;; esac
  fi
  set_parameters=""
  for parameter in "$@"; do
    set_parameters="$set_parameters -set ${parameter%=*} ${parameter#*=}"
  done
  if ! yosys -q -p "read_verilog -sv -DLICHEN_DSP48E2 $sources; ${set_parameters:+chparam $set_parameters $top;} \
      synth_xilinx -family xcup -flatten -noiopad -top $top; tee -o $log stat" >"$log.out" 2>&1; then
    tail -20 "$log.out"
    rm -f "$log.out"
    exit 1
  fi
  rm -f "$log.out"
  awk -v top="$top" -v wanted="$dsp" '
    $1 == "DSP48E2" { dsp += $2 }
    $1 ~ /^RAMB36/ { ramb36 += $2 }
    $1 ~ /^RAMB18/ { ramb18 += $2 }
    $1 ~ /^URAM/ { uram += $2 }
    $1 ~ /^LUT[1-6]$/ { lut += $2 }
    $1 ~ /^(RAM[0-9]+[MXSD]|SRL)/ { memory += $2 }
    $1 ~ /^FD/ { ff += $2 }
    END {
      printf "%-22s DSP48E2 %4d  RAMB36 %3d  RAMB18 %3d  LUT %6d  LUT as memory %5d  FF %6d\n", \
        top, dsp, ramb36, ramb18, lut, memory, ff
      if (wanted != "-" && wanted != dsp + 0) { print "  expected DSP48E2: " wanted; exit 1 }
    }' "$log"
}

synth requantiser 2
synth gdn_divider 0
synth tile_epilogue_lane -
synth tile_array 32 Pif=2 Pof=4 Pixels=4
synth tile_array 128 Pif=4 Pof=8 Pixels=4
synth tile_array8 16 Pif=2 Pof=4 Pixels=4
synth tile_array8 64 Pif=8 Pof=8 Pixels=2
synth axi_read_dma 0
synth axi_write_dma 0
synth element_unpacker 0
synth element_packer 0
synth tile_prepare -
synth tile_sequencer -
synth tile_input_buffer 0 Depth=1024
synth tile_weight_buffer 0 Depth=1024
synth tile_parameter_buffer 0
synth tile_middle_buffer 0 Depth=512
synth tile_epilogue -
synth tile_load -
synth tile_weight -
synth tile_store 0
synth tile_engine - InputBufferWords=1024 WeightBufferWords=1024 MiddleBufferWords=512 OutputBufferWords=1024

# The fusion machine's blocks, 4 rows and columns. The requantisers and the address arithmetic are products.
sources="fusion/fusion_pkg.sv $(ls lib/*.sv fusion/*.sv | grep -v fusion_pkg | tr '\n' ' ')"
synth fusion_unit 0
synth fusion_column 0
synth fusion_array 0
synth fusion_requantiser 4
synth fusion_drain 16
synth fusion_operands 0
synth fusion_compute -
synth fusion_sequencer -
synth fusion_weight -
synth fusion_load 0
synth fusion_store 0
