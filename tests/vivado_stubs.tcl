# Stand-ins for the commands of Vivado and Vitis HLS that the emitted scripts use: each checks the words it is given. An
# unknown command is Tcl's own error. Usage: tclsh vivado_stubs.tcl SCRIPT, in the bundle's folder.
set cells {}
set calls 0

proc fail {text} { puts stderr $text; exit 1 }

# Takes words of `args`: known options with a value, known flags; gives what is left.
proc take {name words options flags} {
  global calls
  incr calls
  set rest {}
  for {set i 0} {$i < [llength $words]} {incr i} {
    set word [lindex $words $i]
    if {[lsearch -exact $options $word] >= 0} {
      incr i
      if {$i >= [llength $words]} { fail "$name: $word has no value" }
      continue
    }
    if {[lsearch -exact $flags $word] >= 0} { continue }
    if {[string match -* $word]} { fail "$name: unknown option $word" }
    lappend rest $word
  }
  return $rest
}
proc need {name rest least most} {
  if {[llength $rest] < $least || [llength $rest] > $most} { fail "$name: [llength $rest] words: $rest" }
}
proc must_exist {name files} {
  foreach file $files { if {![file exists $file]} { fail "$name: no file $file" } }
}

proc create_project {args} { need create_project [take create_project $args {-part} {-in_memory -force}] 0 2 }
proc read_verilog {args} {
  set files [take read_verilog $args {} {-sv}]
  need read_verilog $files 1 1
  must_exist read_verilog $files
}
proc read_xdc {args} {
  set files [take read_xdc $args {-mode} {}]
  need read_xdc $files 1 1
  must_exist read_xdc $files
}
proc add_files {args} {
  set files [take add_files $args {-cflags} {-norecurse -tb}]
  need add_files $files 1 1
  must_exist add_files [lindex $files 0]
}
proc synth_design {args} { need synth_design [take synth_design $args {-mode -top -part} {}] 0 0 }
proc report_utilization {args} { need report_utilization [take report_utilization $args {-file} {}] 0 0 }
proc report_timing_summary {args} { need report_timing_summary [take report_timing_summary $args {-file} {}] 0 0 }
proc write_checkpoint {args} { need write_checkpoint [take write_checkpoint $args {} {-force}] 1 1 }
proc current_fileset {} { return fileset }
proc current_project {} { return project }
proc update_compile_order {args} { need update_compile_order [take update_compile_order $args {-fileset} {}] 0 0 }
proc set_property {args} {
  if {[lindex $args 0] eq "-dict"} {
    if {[llength $args] != 3} { fail "set_property -dict: [llength $args] words" }
    foreach {key value} [lindex $args 1] {
      if {![string match CONFIG.* $key] || $value eq ""} { fail "set_property -dict: $key $value" }
    }
  } elseif {[llength $args] != 3} { fail "set_property: [llength $args] words" }
  incr ::calls
}
proc create_bd_design {name} { incr ::calls }
proc create_bd_cell {args} {
  set rest [take create_bd_cell $args {-type -vlnv -reference} {}]
  need create_bd_cell $rest 1 1
  lappend ::cells [lindex $rest 0]
}
proc get_bd_cells {name} {
  if {[lsearch -exact $::cells $name] < 0} { fail "no cell $name" }
  return $name
}
proc pin {kind path} {
  set cell [lindex [split $path /] 0]
  if {[lsearch -exact $::cells $cell] < 0 || [llength [split $path /]] != 2} { fail "$kind: no pin $path" }
  return $path
}
proc get_bd_pins {path} { return [pin get_bd_pins $path] }
proc get_bd_intf_pins {path} { return [pin get_bd_intf_pins $path] }
proc apply_bd_automation {args} { need apply_bd_automation [take apply_bd_automation $args {-rule -config} {}] 1 1 }
proc connect_bd_net {args} { need connect_bd_net [take connect_bd_net $args {} {}] 2 100 }
proc connect_bd_intf_net {args} { need connect_bd_intf_net [take connect_bd_intf_net $args {} {}] 2 2 }
proc assign_bd_address {} { incr ::calls }
proc validate_bd_design {} { incr ::calls }
proc save_bd_design {} { incr ::calls }
proc get_files {name} { return $name }
proc make_wrapper {args} { need make_wrapper [take make_wrapper $args {-files} {-top -import}] 0 0 }
proc launch_runs {args} { need launch_runs [take launch_runs $args {-to_step -jobs} {}] 1 1 }
proc wait_on_run {name} { incr ::calls }

# Vitis HLS. What a step needs must have been said before.
set said {}
proc step {name args} {
  foreach step $args {
    if {[lsearch -exact $::said $step] < 0} { fail "$name: before $step" }
  }
  lappend ::said $name
}
proc open_project {args} { need open_project [take open_project $args {} {-reset}] 1 1; step open_project }
proc set_top {args} { need set_top $args 1 1; step set_top open_project }
proc open_solution {args} {
  need open_solution [take open_solution $args {-flow_target} {-reset}] 1 1
  step open_solution open_project
}
proc set_part {args} { need set_part $args 1 1; step set_part open_solution }
proc create_clock {args} {
  need create_clock [take create_clock $args {-period -name} {}] 0 0
  if {![string is double -strict [dict get $args -period]]} { fail "create_clock: $args" }
  step create_clock open_solution
}
proc config_interface {args} {
  need config_interface [take config_interface $args {} {-m_axi_addr64}] 0 0
  step config_interface open_solution
}
proc csim_design {args} {
  need csim_design [take csim_design $args {-argv} {}] 0 0
  must_exist csim_design [dict get $args -argv]
  step csim_design set_top open_solution
}
proc csynth_design {} { incr ::calls; step csynth_design set_top set_part create_clock }
proc export_design {args} {
  need export_design [take export_design $args {-format -rtl} {}] 0 0
  step export_design csynth_design
}

source [lindex $argv 0]
puts "$calls calls"
