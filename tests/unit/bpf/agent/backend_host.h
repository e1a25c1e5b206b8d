// Two network namespaces joined by a veth pair: `client` (10.9.0.1, fd00:9::1 on veth0) and `backend`
// (10.9.0.2, fd00:9::2 on eth0), and the processes of the test in them. All is removed with the object. Needs
// root.
#pragma once

#include <string>
#include <vector>

namespace penstock {

/// A child process that is killed with the object.
class Child {
 public:
  Child(const std::string& network_namespace, std::vector<std::string> arguments, const std::string& log);
  ~Child();
  Child(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] int pid() const { return pid_; }
  void signal(int number) const;
  /// Exit status as waitpid gives it; -1 when it still runs after 15 s.
  int wait();

 private:
  int pid_;
};

class BackendHost {
 public:
  BackendHost();
  ~BackendHost();
  BackendHost(const BackendHost&) = delete;
  BackendHost& operator=(const BackendHost&) = delete;

  void join_interfaces() const;  // the veth pair; done by the constructor
  [[nodiscard]] std::string client() const { return prefix_ + "-client"; }
  [[nodiscard]] std::string backend() const { return prefix_ + "-backend"; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

  /// Output of a shell command in the backend's namespace.
  std::string in_backend(const std::string& command) const;
  [[nodiscard]] std::string log(const std::string& name) const;

  /// Runs client.py: empty when all answers were right, else what it said. `outer_family` 4 or 6; `mss`: what
  /// the handshake must tell the client, 0 = anything.
  [[nodiscard]] std::string exchange(const std::string& form, int outer_family, const std::string& vip,
                                     int mss = 0) const;
  /// Starts servers.py in the backend and waits until it listens.
  [[nodiscard]] Child serve(const std::vector<std::string>& vips) const;

 private:
  std::string prefix_;
  std::string folder_;
};

}  // namespace penstock
