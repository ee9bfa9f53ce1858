// Binds the properties of rtl/tile.
bind tile_tokens tile_tokens_props u_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .give_i(give_i), .take_i(take_i), .available_i(available_o));
bind tile_compute tile_buffer_props #(.Words(InputBufferWords)) u_input_write_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(in_write_i != '0), .address_i({5'b0, in_addr_i}));
bind tile_compute tile_buffer_props #(.Words(WeightBufferWords)) u_weight_write_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(weight_write_i), .address_i({5'b0, weight_addr_i}));
bind tile_compute tile_buffer_props #(.Words(ParameterBufferWords)) u_parameter_write_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(parameter_write_i), .address_i({5'b0, parameter_word_i}));
bind tile_compute tile_buffer_props #(.Words(MiddleBufferWords)) u_middle_write_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(middle_write), .address_i({5'b0, write_addr}));
bind tile_compute tile_buffer_props #(.Words(OutputBufferWords)) u_output_write_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(output_write), .address_i({5'b0, write_addr}));
// Reads of a step: pixel lane 0's word, which is always of a pixel that counts.
bind tile_compute tile_buffer_props #(.Words(InputBufferWords)) u_input_read_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(step_valid && !step_middle),
    .address_i({1'b0, step_row} + {1'b0, step_column}));
bind tile_compute tile_buffer_props #(.Words(MiddleBufferWords * EpilogueLanes / Pif)) u_middle_read_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(step_valid && step_middle), .address_i({1'b0, step_column}));
bind tile_compute tile_buffer_props #(.Words(WeightBufferWords)) u_weight_read_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(step_valid), .address_i({5'b0, step_weight}));
bind tile_engine tile_buffer_props #(.Words(OutputBufferWords)) u_output_read_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .access_i(u_store.u_reader.step), .address_i({5'b0, out_addr}));
