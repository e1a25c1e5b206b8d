// What ThreadSanitizer has to know about Debian's gRPC: it is built without the sanitizer, so the order that
// its locks give is invisible. Suppressed are only accesses whose top frame is gRPC's or protobuf's, and
// those below gRPC functions that never call back into us, so that no race in our own data is hidden.
#ifdef __SANITIZE_THREAD__

extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }

extern "C" const char* __tsan_default_suppressions() {
  return "race_top:libgrpc\n"
         "race_top:libabsl\n"
         "race_top:libprotobuf\n"
         "race_top:google::protobuf\n"
         "race_top:^grpc::\n"
         "race:CallbackWithSuccessTag::Set\n"
         "race:InterceptorBatchMethodsImpl::SetSendMessage\n"
         "race:CallOpServerSendStatus::ServerSendStatus\n"
         "race:ServerCallbackReaderWriterImpl::ServerCallbackReaderWriterImpl\n"
         "race:~ServerCallbackReaderWriterImpl\n";
}

#endif
