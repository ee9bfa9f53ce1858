// Binds the properties of rtl/lib.
bind axi_read_dma axi_address_props #(.MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)) u_address_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(ar_valid_o), .ready_i(ar_ready_i), .addr_i(ar_addr_o), .len_i(ar_len_o),
    .answered_i(r_valid_i && r_ready_o && r_last_i));
bind axi_write_dma axi_address_props #(.MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)) u_address_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(aw_valid_o), .ready_i(aw_ready_i), .addr_i(aw_addr_o), .len_i(aw_len_o),
    .answered_i(b_valid_i && b_ready_o));
bind axi_write_dma axi_write_data_props #(.MaxBursts(MaxBursts)) u_data_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .address_valid_i(aw_valid_o), .address_ready_i(aw_ready_i), .len_i(aw_len_o),
    .valid_i(w_valid_o), .ready_i(w_ready_i), .data_i(w_data_o), .strobe_i(w_strb_o), .last_i(w_last_o));
// Bursts wait in the mux' queue of the order from before their address is shown.
bind axi_read_mux axi_address_props #(.MaxBursts(Depth)) u_address_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(ar_valid_o), .ready_i(ar_ready_i), .addr_i(ar_addr_o), .len_i(ar_len_o),
    .answered_i(r_valid_i && r_ready_o && r_last_i));
bind stream_fifo stream_props #(.DataWidth(DataWidth), .Depth(Depth)) u_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .in_valid_i(valid_i), .in_ready_i(ready_o), .out_valid_i(valid_o),
    .out_ready_i(ready_i), .out_data_i(data_o));
bind stream_skid stream_props #(.DataWidth(DataWidth), .Depth(2)) u_props (
    .clk_i(clk_i), .rst_ni(rst_ni), .in_valid_i(valid_i), .in_ready_i(ready_o), .out_valid_i(valid_o),
    .out_ready_i(ready_i), .out_data_i(data_o));
