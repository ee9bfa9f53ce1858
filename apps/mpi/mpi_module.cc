// The module behind apps/mpi_run.h: the only file that knows MPI.
#include <mpi.h>

#include <string>
#include <vector>

extern "C" {

void LichenMpiJoin(int* rank, int* size) {
  MPI_Init(nullptr, nullptr);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
}

void LichenMpiLeave() { MPI_Finalize(); }

// Texts are small (a Pareto set): their lengths fit an int.
void LichenMpiGather(const std::string* text, std::vector<std::string>* texts) {
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int own = static_cast<int>(text->size());
  std::vector<int> lengths(static_cast<size_t>(size)), places(static_cast<size_t>(size));
  MPI_Gather(&own, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, MPI_COMM_WORLD);
  std::string all;
  if (rank == 0) {
    int at = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      places[i] = at;
      at += lengths[i];
    }
    all.resize(static_cast<size_t>(at));
  }
  MPI_Gatherv(text->data(), own, MPI_CHAR, all.data(), lengths.data(), places.data(), MPI_CHAR, 0,
              MPI_COMM_WORLD);
  if (rank != 0) return;
  for (size_t i = 0; i < lengths.size(); ++i) {
    texts->push_back(all.substr(static_cast<size_t>(places[i]), static_cast<size_t>(lengths[i])));
  }
}
}
