#include "train/process_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "train/gloo_transport.h"
#include "train/peer_process.h"
#include "train/torch.h"

namespace lichen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Message(const Result<void>& result) { return result ? "" : result.error().message; }

std::string WhyNotJoin(const ProcessGroupOptions& options) {
  const auto group = ProcessGroup::Join(options);
  return group ? "" : group.error().message;
}

ProcessGroupOptions Pair(int64_t rank, const std::string& rendezvous) {
  return {.size = 2,
          .rank = rank,
          .rendezvous = rendezvous,
          .join_timeout = seconds(60),
          .timeout = seconds(60)};
}

TEST(ProcessGroup, OfOneChangesNothing) {
  auto group = ProcessGroup::Join({});
  ASSERT_TRUE(group) << group.error().message;
  EXPECT_EQ(group->size(), 1);
  const torch::Tensor x = torch::arange(5, torch::kFloat32);
  const torch::Tensor before = x.clone();
  EXPECT_TRUE(group->AllReduceSum({x}));
  EXPECT_TRUE(group->Broadcast({x}));
  EXPECT_TRUE(torch::equal(x, before));
  EXPECT_TRUE(group->Barrier());
  EXPECT_THAT(*group->Gather("a"), ElementsAre("a"));
  EXPECT_EQ(*group->BroadcastText("a"), "a");
  EXPECT_FALSE(*group->Any(false));
  EXPECT_TRUE(*group->Any(true));
  EXPECT_TRUE(group->Agree({}));
  EXPECT_EQ(Message(group->Agree(Fail("broken"))), "broken");
}

TEST(ProcessGroup, RefusesOptionsThatMakeNone) {
  EXPECT_THAT(WhyNotJoin({.size = 0}), HasSubstr("--processes 0"));
  EXPECT_THAT(WhyNotJoin({.size = 2, .rank = 2}), HasSubstr("--rank 2: must be 0 to 1"));
  EXPECT_THAT(WhyNotJoin({.size = 2}), HasSubstr("--rendezvous HOST:PORT"));
  for (const char* wrong : {"host", "host:", ":1", "host:0", "host:65536", "host:1x", "::1:80"}) {
    EXPECT_THAT(WhyNotJoin({.size = 2, .rendezvous = wrong}), HasSubstr("must be HOST:PORT"))
        << wrong;
  }
}

TEST(ProcessGroup, SaysWhenTheBuildHasNoGloo) {
  if (HasGloo()) GTEST_SKIP() << "this build has Gloo";
  EXPECT_THAT(WhyNotJoin(Pair(0, "127.0.0.1:29500")), HasSubstr("libgloo-dev"));
}

class ProcessGroups : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasGloo()) GTEST_SKIP() << "this build found no Gloo";
    rendezvous_ = FreeRendezvous();
    ASSERT_NE(rendezvous_, "");
  }

  // Lets two threads join as two processes would.
  template <class Function>
  void Both(Function&& function) {
    std::thread other([&] { function(Pair(1, rendezvous_)); });
    function(Pair(0, rendezvous_));
    other.join();
  }

  std::string rendezvous_;
};

// What both processes of the following test do.
void SumUp(const std::string& rendezvous, int64_t rank) {
  auto group = ProcessGroup::Join(Pair(rank, rendezvous));
  ASSERT_TRUE(group) << group.error().message;
  const auto own = static_cast<float>(rank + 1);
  // A strided tensor, too: order is logical order.
  const torch::Tensor a = torch::full({1000, 7}, own);
  const torch::Tensor b = torch::arange(6, torch::kFloat32).view({2, 3}).t();
  for (int step = 0; step < 3; ++step) {
    ASSERT_TRUE(group->AllReduceSum({a, b}));
  }
  EXPECT_TRUE(torch::equal(a, torch::full({1000, 7}, 12)));
  EXPECT_TRUE(torch::equal(b, 8 * torch::arange(6, torch::kFloat32).view({2, 3}).t()));
  const torch::Tensor step = torch::tensor({rank == 0 ? 77 : 0}, torch::kInt64);
  ASSERT_TRUE(group->Broadcast({step}));
  EXPECT_EQ(step.item<int64_t>(), 77);
  const auto text = group->BroadcastText(rank == 0 ? std::string("a\0b", 3) : "other");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, std::string("a\0b", 3));
  const auto texts = group->Gather(rank == 0 ? "" : "from 1");
  ASSERT_TRUE(texts);
  EXPECT_THAT(*texts, ElementsAre("", "from 1"));
  ASSERT_TRUE(group->Barrier());
}

TEST(DISABLED_Peer, SumsUp) { SumUp(PeerArgument("RENDEZVOUS"), 1); }

TEST_F(ProcessGroups, SumOverTwoProcesses) {
  PeerProcess peer("SumsUp", {"RENDEZVOUS=" + rendezvous_});
  SumUp(rendezvous_, 0);
  EXPECT_TRUE(peer.Wait());
}

TEST(DISABLED_Peer, Dies) {
  auto group = ProcessGroup::Join(Pair(1, PeerArgument("RENDEZVOUS")));
  ASSERT_TRUE(group);
  ::raise(SIGKILL);
}

TEST_F(ProcessGroups, NoticeAProcessThatDied) {
  PeerProcess peer("Dies", {"RENDEZVOUS=" + rendezvous_});
  auto group = ProcessGroup::Join(Pair(0, rendezvous_));
  ASSERT_TRUE(group) << group.error().message;
  const auto start = std::chrono::steady_clock::now();
  const std::string why = Message(group->AllReduceSum({torch::ones({100})}));
  EXPECT_THAT(why, AllOf(HasSubstr("process 0 of 2"), HasSubstr(rendezvous_)));
  EXPECT_THAT(why, HasSubstr("has lost the others"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));
  EXPECT_FALSE(peer.Wait());
}

TEST_F(ProcessGroups, DoNotWaitForeverForASilentProcess) {
  Both([](ProcessGroupOptions options) {
    options.timeout = milliseconds(500);
    auto group = ProcessGroup::Join(options);
    ASSERT_TRUE(group) << group.error().message;
    if (options.rank == 1) {
      std::this_thread::sleep_for(seconds(2));
    } else {
      EXPECT_THAT(Message(group->Barrier()), HasSubstr("has lost the others"));
    }
  });
}

TEST_F(ProcessGroups, NameAnAddressThatDoesNotAnswer) {
  ProcessGroupOptions options = Pair(1, rendezvous_);
  options.join_timeout = seconds(1);
  EXPECT_THAT(WhyNotJoin(options),
              AllOf(HasSubstr("--rendezvous " + rendezvous_), HasSubstr("did not answer")));
  options.rendezvous = "no-such-host.invalid:1234";
  EXPECT_THAT(WhyNotJoin(options), HasSubstr("does not know the host"));
}

TEST_F(ProcessGroups, NameTheProcessThatDidNotCome) {
  ProcessGroupOptions options = Pair(0, rendezvous_);
  options.join_timeout = seconds(1);
  EXPECT_THAT(WhyNotJoin(options), HasSubstr("process 1 of 2 did not come within 1 s"));
}

TEST_F(ProcessGroups, NameAPortThatIsTaken) {
  Both([&](const ProcessGroupOptions& options) {
    auto group = ProcessGroup::Join(options);
    ASSERT_TRUE(group) << group.error().message;
    if (options.rank == 0) {
      EXPECT_THAT(WhyNotJoin(options), HasSubstr("cannot listen there"));
    }
    EXPECT_TRUE(group->Barrier());
  });
}

TEST_F(ProcessGroups, RefuseToMeetWithOtherSizes) {
  Both([&](ProcessGroupOptions options) {
    options.size += options.rank;
    EXPECT_THAT(WhyNotJoin(options), HasSubstr("was started with"));
  });
}

TEST_F(ProcessGroups, RefuseARankThatIsTaken) {
  std::atomic<int> refused = 0;
  Both([&](ProcessGroupOptions options) {
    options.size = 3;
    options.join_timeout = seconds(2);
    std::vector<std::thread> threads;
    for (int i = 0; i < (options.rank == 1 ? 2 : 1); ++i) {
      threads.emplace_back([&] {
        refused += WhyNotJoin(options).find("has this rank already") != std::string::npos;
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(refused, 1);
}

TEST_F(ProcessGroups, AgreeOnTheFirstError) {
  Both([&](const ProcessGroupOptions& options) {
    auto group = ProcessGroup::Join(options);
    ASSERT_TRUE(group) << group.error().message;
    EXPECT_TRUE(group->Agree({}));
    EXPECT_FALSE(*group->Any(false));
    EXPECT_TRUE(*group->Any(options.rank == 1));
    const bool fails = options.rank == 1;
    const auto agreed = group->Agree(fails ? Result<void>(FailUsage("a pit")) : Result<void>());
    ASSERT_FALSE(agreed);
    EXPECT_EQ(agreed.error().message, fails ? "a pit" : "process 1: a pit");
    EXPECT_EQ(agreed.error().kind, Error::Kind::kUsage);
    EXPECT_TRUE(group->Agree({}));
  });
}

}  // namespace
}  // namespace lichen
