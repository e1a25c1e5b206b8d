#include "dataplane/restart/memory_folder.h"

#include <sys/wait.h>

#include "dataplane/restart/mapped_file.h"
#include "tests/unit/dataplane/restart/kept_folder.h"

namespace penstock {
namespace {

TEST(MemoryFolder, IsMadeForItsOwnerOnly) {
  const KeptFolder parent;
  const std::string path = parent.file("flows");
  ASSERT_TRUE(MemoryFolder::open(path, "gw").ok());
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST(MemoryFolder, WhatIsNotPrivateMemoryIsRefusedWithAReason) {
  const KeptFolder parent;
  const auto refusal = [](const std::string& path) {
    const auto opened = MemoryFolder::open(path, "gw");
    return opened ? std::string("opened") : opened.error().text();
  };
  chmod(parent.path().c_str(), 0750);
  EXPECT_NE(refusal(parent.path()).find("open to other users"), std::string::npos);
  chmod(parent.path().c_str(), 0700);
  std::ofstream(parent.file("plain")) << "x";
  EXPECT_NE(refusal(parent.file("plain")).find("is not a folder"), std::string::npos);
  EXPECT_NE(refusal(parent.file("no/where")).find("cannot make"), std::string::npos);
  std::filesystem::create_directory_symlink(parent.path(), parent.file("link"));
  EXPECT_NE(refusal(parent.file("link")).find("is not a folder"), std::string::npos);
  EXPECT_NE(refusal("/proc/self/task").find("flow_dir: "), std::string::npos);
  EXPECT_NE(refusal("/proc/no").find("flow_dir: cannot make /proc/no"), std::string::npos);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(parent.path().c_str(), 65534, 65534), 0);
    EXPECT_NE(refusal(parent.path()).find("belongs to another user"), std::string::npos);
  }
}

TEST(MemoryFolder, OneProcessHoldsAnInstanceAndAnotherInstanceIsFree) {
  const KeptFolder parent;
  const auto first = MemoryFolder::open(parent.path(), "gw");
  ASSERT_TRUE(first.ok());
  const auto second = MemoryFolder::open(parent.path(), "gw");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(second.error().message.find("another penstock-dataplane"), std::string::npos);
  EXPECT_TRUE(MemoryFolder::open(parent.path(), "gw2").ok());
}

TEST(MemoryFolder, AKilledHolderLeavesNothingThatBarsTheNext) {
  const KeptFolder parent;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = MemoryFolder::open(parent.path(), "gw");
    const char verdict = held ? 'y' : 'n';
    if (write(ready[1], &verdict, 1) != 1) _exit(1);
    pause();
  }
  char verdict = 0;
  ASSERT_EQ(read(ready[0], &verdict, 1), 1);
  ASSERT_EQ(verdict, 'y');
  EXPECT_FALSE(MemoryFolder::open(parent.path(), "gw").ok());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(MemoryFolder::open(parent.path(), "gw").ok());
}

TEST(MemoryFolder, RemovesItsOwnFilesAndNoOthers) {
  const KeptFolder parent;
  const auto folder = MemoryFolder::open(parent.path(), "gw");
  ASSERT_TRUE(folder.ok());
  for (const char* name : {"gw.flows.0", "gw.backends", "gw2.flows.0", "other"})
    std::ofstream(parent.file(name)) << "x";
  (*folder).remove_files("");
  EXPECT_FALSE(std::filesystem::exists(parent.file("gw.flows.0")));
  EXPECT_FALSE(std::filesystem::exists(parent.file("gw.backends")));
  EXPECT_TRUE(std::filesystem::exists(parent.file("gw2.flows.0")));
  EXPECT_TRUE(std::filesystem::exists(parent.file("other")));
  EXPECT_TRUE(std::filesystem::exists(parent.file("gw.lock")));
}

TEST(MemoryFolder, SocketsOfOneNameInDifferentFoldersAreDifferentInstances) {
  EXPECT_NE(instance_of_socket("/run/a/dataplane.sock"), instance_of_socket("/run/b/dataplane.sock"));
  EXPECT_TRUE(instance_of_socket("/run/a/dataplane.sock").starts_with("dataplane-"));
}

TEST(MappedFile, OutlivesItsMappingAndIsForTheOwnerOnly) {
  const KeptFolder parent;
  const auto folder = MemoryFolder::open(parent.path(), "gw");
  ASSERT_TRUE(folder.ok());
  const std::string path = (*folder).file("flows.0");
  {
    auto made = MappedFile::create(*folder, path, 5000, {.huge_pages = true, .numa_node = 0});
    ASSERT_TRUE(made.ok()) << made.error().text();
    EXPECT_EQ((*made).bytes().size(), whole_pages(*folder, 5000));
    EXPECT_EQ((*made).bytes()[4999], std::byte{0});
    (*made).bytes()[4999] = std::byte{7};
  }
  EXPECT_EQ(MappedFile::create(*folder, path, 5000, {}).error().code, ErrorCode::kAlreadyExists);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto found = MappedFile::open(path);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ((*found).bytes()[4999], std::byte{7});
  EXPECT_EQ(MappedFile::open(path + ".no").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::open("/dev/null").error().code, ErrorCode::kFailedPrecondition);
}

TEST(MappedFile, MoreThanThereIsIsRefusedAndLeavesNoFile) {
  const KeptFolder parent;
  const auto folder = MemoryFolder::open(parent.path(), "gw");
  ASSERT_TRUE(folder.ok());
  const std::string path = (*folder).file("flows.0");
  const auto made = MappedFile::create(*folder, path, std::size_t{1} << 60, {});
  ASSERT_FALSE(made.ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace penstock
