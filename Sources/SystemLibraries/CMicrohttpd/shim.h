#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Swift cannot call variadic functions of C, and sees libmicrohttpd's constants differently from release to release. Nothing
// here is newer than libmicrohttpd 0.9.75 (Debian 12).

// What a daemon is told at its start.
struct vl2_mhd_settings {
  int socket;                   // listens already
  size_t head_bytes;            // of a request
  unsigned int connections;     // at a time
  unsigned int idle_seconds;    // in which a client neither sends nor takes anything
  void *context;                // for the functions
  MHD_AccessHandlerCallback handle;
  MHD_RequestCompletedCallback completed;
  MHD_NotifyConnectionCallback connection;
  void (*full)(void *context);  // nobody is accepted any more, for want of descriptors, until a connection ends
};

// Addresses stay as they were sent: what is escaped in them is not for libmicrohttpd to say.
static size_t vl2_mhd_keep(void *context, struct MHD_Connection *connection, char *text) {
  (void)context;
  (void)connection;
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

// Has `completed` called for each request whose first line was read, also for those that `handle` never sees.
static void *vl2_mhd_begin(void *context, const char *uri, struct MHD_Connection *connection) {
  (void)context;
  (void)uri;
  (void)connection;
  return NULL;
}

// libmicrohttpd says only in its log that it accepts nobody for want of descriptors or memory: "Hit process or system
// resource limit at %u connections, temporarily suspending accept()" (daemon.c of versions 0.9.75 to 1.0.1).
static void vl2_mhd_log(void *settings, const char *format, va_list arguments) {
  (void)arguments;
  const struct vl2_mhd_settings *kept = settings;
  if (strstr(format, "resource limit")) kept->full(kept->context);
}

// NULL where it does not start. The settings have to stay.
//
// With epoll, version 0.9.75 does not notice clients that go away while their connections are suspended or resumed:
// such connections stay open until they time out. With poll they are closed at once.
static inline struct MHD_Daemon *vl2_mhd_start(const struct vl2_mhd_settings *settings) {
  return MHD_start_daemon(
      MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
      settings->handle, settings->context, MHD_OPTION_EXTERNAL_LOGGER, &vl2_mhd_log, settings,
      MHD_OPTION_LISTEN_SOCKET, settings->socket, MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->head_bytes, MHD_OPTION_CONNECTION_LIMIT, settings->connections, MHD_OPTION_CONNECTION_TIMEOUT,
      settings->idle_seconds, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, &vl2_mhd_keep, NULL,
      MHD_OPTION_URI_LOG_CALLBACK, &vl2_mhd_begin, NULL,
      MHD_OPTION_NOTIFY_COMPLETED, settings->completed, settings->context, MHD_OPTION_NOTIFY_CONNECTION,
      settings->connection, settings->context, MHD_OPTION_END);
}

static inline enum MHD_Result vl2_mhd_result(bool goes_on) { return goes_on ? MHD_YES : MHD_NO; }

// Whether a connection has begun; else it is over.
static inline bool vl2_mhd_begins(enum MHD_ConnectionNotificationCode code) {
  return code == MHD_CONNECTION_NOTIFY_STARTED;
}

// The descriptor of a connection; -1 where there is none.
static inline int vl2_mhd_descriptor(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

// The client's address; NULL where it is not known.
static inline const struct sockaddr *vl2_mhd_client(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info ? info->client_addr : NULL;
}

// What the function for connections put there; NULL where it put nothing.
static inline void *vl2_mhd_socket_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

// Calls `each` with every header, in the order in which they came.
static inline void vl2_mhd_headers(struct MHD_Connection *connection, MHD_KeyValueIterator each, void *context) {
  MHD_get_connection_values(connection, MHD_HEADER_KIND, each, context);
}

// A response whose bytes are copied.
static inline struct MHD_Response *vl2_mhd_whole(const void *bytes, size_t count) {
  return MHD_create_response_from_buffer(count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

// A response that is read, as far as it goes, with `read`; `release` is called with `context` when it is not needed any more.
static inline struct MHD_Response *vl2_mhd_stream(MHD_ContentReaderCallback read, void *context,
                                                  MHD_ContentReaderFreeCallback release) {
  return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read, context, release);
}

static inline bool vl2_mhd_queue(struct MHD_Connection *connection, unsigned int status,
                                 struct MHD_Response *response) {
  return MHD_queue_response(connection, status, response) == MHD_YES;
}

// What `read` returns in place of a number of bytes.
static const ssize_t vl2_mhd_end_of_stream = -1;
static const ssize_t vl2_mhd_end_with_error = -2;
