// The bundle's component.xml: what the standard asks for, and what the bundle holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "net/model_file.h"
#include "tests/codec_fixture.h"

namespace lichen {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class IpXact : public testing::Test {
 protected:
  int Run(const std::string& line) {
    return WEXITSTATUS(std::system(
        fmt::format("cd {} && {{ {}; }} >out.txt 2>err.txt", folder_.string(), line).c_str()));
  }
  std::string Read(const std::string& name) const {
    const auto bytes = ReadFile(folder_ / name);
    return bytes ? std::string(bytes->begin(), bytes->end()) : "";
  }
  void Replace(const std::string& name, std::string_view right, std::string_view wrong) {
    std::string text = Read(name);
    const size_t at = text.find(right);
    ASSERT_NE(at, text.npos) << right;
    ASSERT_TRUE(WriteFile(folder_ / name, std::string_view(text.replace(at, right.size(), wrong))));
  }
  void Emit(int64_t ports) {
    fs::remove_all(folder_ / "bundle");
    ASSERT_TRUE(SaveModel(folder_ / "m.lichen", Model(TestNet())));
    const std::string design = fmt::format(
        "pif = 4\npof = 8\npoy = 1\npox = 4\nepilogue_lanes = 4\ndma_ports = {}\n"
        "clock_mhz = 150\nname = \"a <& b\"\n",
        ports);
    ASSERT_TRUE(WriteFile(folder_ / "d.toml", std::string_view(design)));
    ASSERT_EQ(Run(fmt::format("{0} compile m.lichen --design d.toml --size 48x64 --graph analysis "
                              "-o p.plan && {0} emit p.plan -o bundle",
                              LICHEN_PROGRAM)),
              0)
        << Read("err.txt");
  }
  int Validate() {
    return Run(
        fmt::format("xmllint --noout --relaxng {}/tests/ip_xact_profile.rng "
                    "bundle/component.xml",
                    LICHEN_SOURCE_DIR));
  }
  int Compare() {
    return Run(fmt::format("python3 {}/tests/check_ip_xact.py bundle", LICHEN_SOURCE_DIR));
  }

  const fs::path folder_ = TestFolder();
};

TEST_F(IpXact, IsValidAndDescribesTheBundle) {
  for (const int64_t ports : {1, 2, 4}) {
    Emit(ports);
    EXPECT_EQ(Validate(), 0) << Read("err.txt");
    EXPECT_EQ(Compare(), 0) << Read("err.txt");
    EXPECT_THAT(Read("out.txt"), HasSubstr(" compared"));
    EXPECT_THAT(Read("bundle/component.xml"), HasSubstr("<spirit:value>150000000</spirit:value>"));
    // Accellera's own schema, where somebody has it: its licence keeps it out of this repository.
    if (const char* schema = std::getenv("LICHEN_IP_XACT_SCHEMA")) {
      EXPECT_EQ(Run(fmt::format("xmllint --noout --schema {} bundle/component.xml", schema)), 0)
          << Read("err.txt");
    }
  }
}

TEST_F(IpXact, DamageIsFound) {
  Emit(2);
  const std::string right = Read("bundle/component.xml");
  const struct {
    const char* right;
    const char* wrong;
    const char* message;  // of the comparison; empty: the grammar refuses it
  } faults[] = {
      {"<spirit:library>accel</spirit:library>", "", ""},
      {"<spirit:access>read-only", "<spirit:access>readable", ""},
      {"<spirit:addressSpaces>", "<spirit:memoryMaps/><spirit:addressSpaces>", ""},
      {"<spirit:size>32</spirit:size>", "", ""},
      {"<spirit:left>39", "<spirit:left>31", "port m_axi_0_araddr"},
      {"<spirit:addressOffset>0x28", "<spirit:addressOffset>0x2C", "register errors: 44"},
      {"<spirit:bitOffset>1", "<spirit:bitOffset>0", "field done does not fit"},
      {"rtl/tile/tile_load.sv", "rtl/tile/tile_lead.sv", "file of synthesis rtl/tile/tile_load.sv"},
      {"<spirit:name>ARADDR", "<spirit:name>AWADDR", "is mapped to AWADDR"},
  };
  for (const auto& fault : faults) {
    Replace("bundle/component.xml", fault.right, fault.wrong);
    if (*fault.message == '\0') {
      EXPECT_NE(Validate(), 0) << fault.right;
    } else {
      EXPECT_EQ(Validate(), 0) << fault.right << Read("err.txt");
      EXPECT_EQ(Compare(), 1) << fault.right;
      EXPECT_THAT(Read("err.txt"), HasSubstr(fault.message));
    }
    ASSERT_TRUE(WriteFile(folder_ / "bundle/component.xml", std::string_view(right)));
  }
  EXPECT_EQ(Compare(), 0) << Read("err.txt");
}

}  // namespace
}  // namespace lichen
