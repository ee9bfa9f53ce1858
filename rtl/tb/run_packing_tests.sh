#!/bin/sh
# Runs packed_mac as two dozen recipes against plain sums of products, lints what was generated, and
# compares the LUTs of three recipes with their estimates.
#
# Usage: rtl/tb/run_packing_tests.sh [MODULE...]   modules whose LUTs are compared. LICHEN: the
# program, default build/lichen; BUILD_DIR: default build/rtl.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${BUILD_DIR:-$root/build/rtl}/packing
lichen=${LICHEN:-$root/build/lichen}
[ $# -gt 0 ] || set -- packed_k3_w4_a4_full_d1_o1 packed_k3_w4_a4_narrow_d1_o2 packed_k3_w4_a4_narrow_d4_o1
rm -rf "$folder"
"$lichen" packing --samples --emit "$folder" >"$folder.log"
cd "$folder"
for module in "$@"; do
  verilator --lint-only -Wall --top-module "$module" "$module.sv" packed_mac.sv packed_cascade.sv packed_decoder.sv \
    dsp48e2_packed.sv dsp48e2_packed_sim.sv delay_line.sv
done
verilator --binary --timing -j "${JOBS:-1}" --assert --x-initial unique -Wno-fatal --top-module packing_test ./*.sv \
  >build.log 2>&1 || { tail -30 build.log; exit 1; }
obj_dir/Vpacking_test

# One wrong bit in the first sum of a recipe is found.
hex=packed_k3_w4_a4_narrow_d1_o2.hex
sed '1,4 s/^\(.\{12\}\)./\1x/; 1,4 y/x/5/' "$hex" >"$hex.new"
cmp -s "$hex" "$hex.new" && sed '1,4 s/^\(.\{12\}\)./\1x/; 1,4 y/x/6/' "$hex" >"$hex.new"
cp "$hex" "$hex.good"
mv "$hex.new" "$hex"
if obj_dir/Vpacking_test >fault.log 2>&1; then
  echo "a planted fault was not found"
  exit 1
fi
grep -q "packed_k3_w4_a4_narrow_d1_o2: 1 wrong sums" fault.log || { cat fault.log; exit 1; }
mv "$hex.good" "$hex"
echo "a planted fault was found"

command -v yosys >/dev/null && "$root/rtl/packing_cost.sh" "$folder" "$@"
