#include "tile_engine.h"

#include "compute.h"
#include "fetch.h"
#include "load.h"
#include "store.h"
#include "weight.h"

using namespace tile_hls;

// In hardware five processes run side by side (DATAFLOW) and wait for each other by tokens alone. C simulation calls the
// processes of a DATAFLOW region one after the other, which cannot work where the earlier wait for the later. So it runs
// one instruction after the other, in the program's order, or, where TILE_CONCURRENT is defined, the processes as threads.
#ifdef __SYNTHESIS__
#define TILE_BUFFER
#define TILE_PROCESS(...) __VA_ARGS__;
#else
#define TILE_BUFFER static
#define TILE_PROCESS(...) [&] { __VA_ARGS__; },
#endif

void tile_engine(const Beat* load_memory, const Beat* weight_memory, const Beat* fetch_memory,
                 Beat* store_memory, ap_uint<40> program, ap_uint<32>* errors) {
#pragma HLS INTERFACE m_axi port = load_memory offset = slave bundle = load num_read_outstanding = \
    8 max_read_burst_length = 256
#pragma HLS INTERFACE m_axi port = weight_memory offset = slave bundle = \
    weight num_read_outstanding = 8 max_read_burst_length = 256
#pragma HLS INTERFACE m_axi port = fetch_memory offset = slave bundle = \
    fetch num_read_outstanding = 2 max_read_burst_length = 16
#pragma HLS INTERFACE m_axi port = store_memory offset = slave bundle = \
    store num_write_outstanding = 8 max_write_burst_length = 256
#pragma HLS INTERFACE s_axilite port = program
#pragma HLS INTERFACE s_axilite port = errors
#pragma HLS INTERFACE s_axilite port = return

  // Written by one process and read by another, with nothing but the tokens between them.
  TILE_BUFFER InputBuffer input;
#pragma HLS ARRAY_PARTITION variable = input complete dim = 1
#pragma HLS ARRAY_RESHAPE variable = input complete dim = 3
#pragma HLS STREAM variable = input type = unsync
  TILE_BUFFER WeightBuffer weights;
#pragma HLS ARRAY_RESHAPE variable = weights complete dim = 2
#pragma HLS STREAM variable = weights type = unsync
  TILE_BUFFER ParameterBuffer parameters;
#pragma HLS ARRAY_PARTITION variable = parameters cyclic factor = kEpilogueLanes dim = 2
#pragma HLS STREAM variable = parameters type = unsync
  TILE_BUFFER ParameterBuffer second_parameters;
#pragma HLS ARRAY_PARTITION variable = second_parameters cyclic factor = kEpilogueLanes dim = 2
#pragma HLS STREAM variable = second_parameters type = unsync
  TILE_BUFFER OutputBuffer output;
#pragma HLS ARRAY_RESHAPE variable = output complete dim = 2
#pragma HLS STREAM variable = output type = unsync

  InstructionQueue loads("loads");
#pragma HLS STREAM variable = loads depth = 8
  InstructionQueue weight_loads("weight_loads");
#pragma HLS STREAM variable = weight_loads depth = 8
  InstructionQueue computes("computes");
#pragma HLS STREAM variable = computes depth = 8
  InstructionQueue stores("stores");
#pragma HLS STREAM variable = stores depth = 8
  TokenQueue load_to_compute("load_to_compute");
#pragma HLS STREAM variable = load_to_compute depth = 255
  TokenQueue compute_to_load("compute_to_load");
#pragma HLS STREAM variable = compute_to_load depth = 255
  TokenQueue weight_to_compute("weight_to_compute");
#pragma HLS STREAM variable = weight_to_compute depth = 255
  TokenQueue compute_to_weight("compute_to_weight");
#pragma HLS STREAM variable = compute_to_weight depth = 255
  TokenQueue compute_to_store("compute_to_store");
#pragma HLS STREAM variable = compute_to_store depth = 255
  TokenQueue store_to_compute("store_to_compute");
#pragma HLS STREAM variable = store_to_compute depth = 255
  TokenQueue store_to_load("store_to_load");
#pragma HLS STREAM variable = store_to_load depth = 255

#if defined(__SYNTHESIS__) || defined(TILE_CONCURRENT)
#pragma HLS DATAFLOW
#ifdef TILE_CONCURRENT
  hls::simulation::Run({
#endif
      // clang-format off
    TILE_PROCESS(FetchUnit(fetch_memory, program, loads, weight_loads, computes, stores, errors))
    TILE_PROCESS(LoadUnit(load_memory, loads, compute_to_load, store_to_load, load_to_compute, input))
    TILE_PROCESS(WeightUnit(weight_memory, weight_loads, compute_to_weight, weight_to_compute, weights, parameters,
                            second_parameters))
    TILE_PROCESS(ComputeUnit(computes, load_to_compute, weight_to_compute, store_to_compute, compute_to_load,
                             compute_to_weight, compute_to_store, input, weights, parameters, second_parameters, output))
    TILE_PROCESS(StoreUnit(store_memory, stores, compute_to_store, store_to_compute, store_to_load, output))
  // clang-format on
#ifdef TILE_CONCURRENT
  });
#endif
#else
  FetchState state = StartFetch(program);
  bool is_end = false;
  while (!is_end) {
    const InstructionWord word = FetchInstruction(fetch_memory, state);
    switch (OpcodeOf(word).to_int()) {
      case kLoad:
        loads.write(word);
        LoadStep(load_memory, loads, compute_to_load, store_to_load, load_to_compute, input);
        break;
      case kWeight:
        weight_loads.write(word);
        WeightStep(weight_memory, weight_loads, compute_to_weight, weight_to_compute, weights,
                   parameters, second_parameters);
        break;
      case kCompute:
        computes.write(word);
        ComputeStep(computes, load_to_compute, weight_to_compute, store_to_compute, compute_to_load,
                    compute_to_weight, compute_to_store, input, weights, parameters,
                    second_parameters, output);
        break;
      case kStore:
        stores.write(word);
        StoreStep(store_memory, stores, compute_to_store, store_to_compute, store_to_load, output);
        break;
      default:
        *errors = OpcodeOf(word) == kEnd ? 0 : 1;
        is_end = true;
    }
  }
  TokenQueue* const queues[] = {&load_to_compute,   &compute_to_load,  &weight_to_compute,
                                &compute_to_weight, &compute_to_store, &store_to_compute,
                                &store_to_load};
  for (TokenQueue* queue : queues) {
    EndTokens(*queue);
    TakeRest(*queue);
  }
#endif
}
