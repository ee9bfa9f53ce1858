# Stand-ins for the Vivado commands that the emitted scripts use: each checks the words it is given. An
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
  set files [take add_files $args {} {-norecurse}]
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

source [lindex $argv 0]
puts "$calls calls"
