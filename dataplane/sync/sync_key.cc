#include "dataplane/sync/sync_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <new>

namespace penstock {

class SyncKey::State {
 public:
  explicit State(const DerivedKey& key) {
    algorithm_ = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    context_ = algorithm_ != nullptr ? EVP_MAC_CTX_new(algorithm_) : nullptr;
    char digest[] = "SHA256";
    const std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                           OSSL_PARAM_construct_end()};
    if (context_ == nullptr || EVP_MAC_init(context_, key.data(), key.size(), params.data()) != 1) {
      free_both();
      throw std::bad_alloc();
    }
  }
  ~State() { free_both(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  SyncMac mac(std::span<const std::byte> first, std::span<const std::byte> second) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> whole{};
    std::size_t size = 0;
    // Without a key it begins anew under the last one.
    EVP_MAC_init(context_, nullptr, 0, nullptr);
    EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(first.data()), first.size());
    EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(second.data()), second.size());
    EVP_MAC_final(context_, whole.data(), &size, whole.size());
    SyncMac out;
    std::transform(whole.begin(), whole.begin() + kSyncMacBytes, out.begin(),
                   [](unsigned char c) { return std::byte{c}; });
    return out;
  }

 private:
  void free_both() noexcept {
    EVP_MAC_CTX_free(context_);
    EVP_MAC_free(algorithm_);
  }

  EVP_MAC* algorithm_ = nullptr;
  EVP_MAC_CTX* context_ = nullptr;
};

SyncKey::SyncKey(const DerivedKey& key) : state_(std::make_unique<State>(key)) {}
SyncKey::~SyncKey() = default;
SyncKey::SyncKey(SyncKey&&) noexcept = default;
SyncKey& SyncKey::operator=(SyncKey&&) noexcept = default;

SyncMac SyncKey::mac(std::span<const std::byte> first, std::span<const std::byte> second) const {
  return state_->mac(first, second);
}

bool SyncKey::equal(const SyncMac& mac, std::span<const std::byte> wanted) noexcept {
  return wanted.size() == mac.size() && CRYPTO_memcmp(mac.data(), wanted.data(), mac.size()) == 0;
}

}  // namespace penstock
