#!/bin/sh
# Synthesises packing recipes with Yosys for UltraScale+ and prints their LUTs beside the estimates.
#
# Contract: fails if a recipe does not keep its DSP48E2, or its LUTs are more than 20 % off the
# estimate. The counts are Yosys', not Vivado's.
# Usage: rtl/packing_cost.sh DIR [MODULE...]   DIR: of `lichen packing --emit`; default: all its modules
set -eu
directory=$1
shift
wanted="$*"
log=$(mktemp)
trap 'rm -f "$log" "$log.out"' EXIT
status=0
printf '%-36s %4s %9s %6s %8s %6s\n' module DSP estimated LUT 'per DSP' error
while read -r module dsp luts; do
  if [ -n "$wanted" ]; then
    case " $wanted " in *" $module "*) ;; *) continue ;; esac
  fi
  sources="$directory/$module.sv"
  for file in packed_mac packed_cascade packed_decoder dsp48e2_packed delay_line; do
    sources="$sources $directory/$file.sv"
  done
  if ! yosys -q -p "read_verilog -sv -DLICHEN_DSP48E2 $sources; synth_xilinx -family xcup -flatten -noiopad -top $module; \
      tee -o $log stat" >"$log.out" 2>&1; then
    tail -20 "$log.out"
    exit 1
  fi
  awk -v module="$module" -v dsp="$dsp" -v estimate="$luts" '
    $1 == "DSP48E2" { found += $2 }
    $1 ~ /^LUT[1-6]$/ { lut += $2 }
    $1 ~ /^(RAM[0-9]+[MXSD]|SRL)/ { lut += $2 }
    END {
      error = 100 * (estimate / lut - 1)
      printf "%-36s %4d %9d %6d %8.1f %+5.1f%%\n", module, found, estimate, lut, lut / dsp, error
      if (found != dsp) { print "  expected DSP48E2: " dsp; exit 1 }
      if (error > 20 || error < -20) exit 1
    }' "$log" || status=1
done <"$directory/estimates.txt"
exit $status
