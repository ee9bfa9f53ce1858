#include "report/table.h"

#include <gtest/gtest.h>

namespace lichen {
namespace {

TEST(Table, AlignsNumbersRightAndTextLeft) {
  const Table table{{"name", "bpp"}, {{"a", "1.5"}, {"grün", "12.25"}}};
  EXPECT_EQ(ToText(table), "name    bpp\na       1.5\ngrün  12.25\n");
}

TEST(Table, AlignsAColumnWithAnyTextLeft) {
  const Table table{{"x", "y"}, {{"1", "22"}, {"none", "3"}}};
  EXPECT_EQ(ToText(table), "x      y\n1     22\nnone   3\n");
}

TEST(Csv, QuotesWhatNeedsIt) {
  const Table table{{"a", "b"}, {{"x,y", "say \"hi\""}, {"", "two\nlines"}}};
  EXPECT_EQ(ToCsv(table), "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n,\"two\nlines\"\n");
  const auto back = ParseCsv(ToCsv(table));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->header, table.header);
  EXPECT_EQ(back->rows, table.rows);
}

TEST(Csv, ReadsForeignLineEndsAndRefusesRaggedRows) {
  const auto table = ParseCsv("a,b\r\n1,2\r\n\r\n3,4");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->rows, (std::vector<std::vector<std::string>>{{"1", "2"}, {"3", "4"}}));
  EXPECT_FALSE(ParseCsv("a,b\n1\n"));
  EXPECT_FALSE(ParseCsv("a,b\n\"1,2\n"));
  EXPECT_FALSE(ParseCsv(""));
}

}  // namespace
}  // namespace lichen
