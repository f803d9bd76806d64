// Out of the sandbox by a packet or a socket. Unreachable is the only good answer: a refusal or a
// silence means that a packet had a way to go.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"

struct address {
  struct sockaddr_storage storage;
  socklen_t length;
};

static bool parse(const char* text, int port, struct address* out) {
  memset(out, 0, sizeof *out);
  struct sockaddr_in* v4 = (struct sockaddr_in*)&out->storage;
  struct sockaddr_in6* v6 = (struct sockaddr_in6*)&out->storage;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((unsigned short)port);
    out->length = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons((unsigned short)port);
  if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) v6->sin6_scope_id = 1;
  out->length = sizeof *v6;
  return true;
}

static bool nowhere(int error) {
  return error == ENETUNREACH || error == EADDRNOTAVAIL || error == EAFNOSUPPORT ||
         error == EACCES || error == EPERM || error == ENETDOWN || error == EINVAL;
}

// 0: connected; else the errno. EINPROGRESS: no answer in time.
static int connect_error(const char* text, int port) {
  struct address to;
  if (!parse(text, port, &to)) return EINVAL;
  const int s = socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s < 0) return errno;
  int error = 0;
  if (connect(s, (struct sockaddr*)&to.storage, to.length) != 0) error = errno;
  if (error == EINPROGRESS) {
    struct pollfd wait = {.fd = s, .events = POLLOUT};
    socklen_t length = sizeof error;
    if (poll(&wait, 1, 300) > 0) getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  close(s);
  return error;
}

static int send_error(const char* text, int port) {
  struct address to;
  if (!parse(text, port, &to)) return EINVAL;
  const int s = socket(to.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s < 0) return errno;
  const int on = 1;
  setsockopt(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  const char query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1";
  const ssize_t sent =
      sendto(s, query, sizeof query - 1, 0, (struct sockaddr*)&to.storage, to.length);
  const int error = sent < 0 ? errno : 0;
  close(s);
  return error;
}

static struct outcome each(const char* const* addresses, int port, int (*reach)(const char*, int)) {
  int error = 0, count = 0;
  for (; *addresses != NULL; ++addresses, ++count) {
    error = reach(*addresses, port);
    if (!nowhere(error)) {
      return done("%s port %d: %s", *addresses, port,
                  error == 0             ? "reached"
                  : error == EINPROGRESS ? "a packet went out"
                                         : strerror(error));
    }
  }
  return denied(error, "%d addresses: %s", count, strerror(error));
}

static struct outcome interfaces(const struct params* p) {
  (void)p;
  struct if_nameindex* const list = if_nameindex();
  if (list == NULL) return cannot(errno, "if_nameindex");
  const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (struct if_nameindex* one = list; one->if_name != NULL; ++one) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, one->if_name, IFNAMSIZ - 1);
    const bool known = ioctl(s, SIOCGIFFLAGS, &request) == 0;
    if (strcmp(one->if_name, "lo") == 0 || (known && (request.ifr_flags & IFF_UP) == 0)) continue;
    return done("interface %s is up", one->if_name);
  }
  return denied(0, "only lo");
}

static struct outcome routes(const struct params* p) {
  (void)p;
  char text[16384];
  if (read_text("/proc/net/route", text, sizeof text) < 0) return cannot(errno, "/proc/net/route");
  const char* const first = strchr(text, '\n');
  if (first != NULL && first[1] != '\0') return done("%.60s", first + 1);
  if (read_text("/proc/net/ipv6_route", text, sizeof text) < 0) text[0] = '\0';
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    const char* const device = strrchr(line, ' ');
    if (device == NULL || strcmp(device + 1, "lo") != 0) return done("IPv6: %.100s", line);
  }
  return denied(0, "no route");
}

static struct outcome tcp4(const struct params* p) {
  (void)p;
  return each((const char* const[]){"1.1.1.1", "8.8.8.8", "192.0.2.1", NULL}, 80, connect_error);
}
static struct outcome tcp6(const struct params* p) {
  (void)p;
  return each((const char* const[]){"2606:4700:4700::1111", "2001:db8::1", NULL}, 80,
              connect_error);
}
static struct outcome udp(const struct params* p) {
  (void)p;
  return each((const char* const[]){"1.1.1.1", "192.0.2.1", "2001:db8::1", NULL}, 123, send_error);
}
static struct outcome metadata(const struct params* p) {
  (void)p;
  return each((const char* const[]){"169.254.169.254", "169.254.170.2", "100.100.100.200", NULL},
              80, connect_error);
}
static struct outcome metadata6(const struct params* p) {
  (void)p;
  return each((const char* const[]){"fd00:ec2::254", "fd20:ce::254", NULL}, 80, connect_error);
}
static struct outcome neighbours(const struct params* p) {
  (void)p;
  return each((const char* const[]){"172.17.0.1", "172.17.0.2", "10.0.2.1", "10.0.2.2", "10.0.0.1",
                                    "192.168.0.1", "192.168.1.1", "fd00::1", NULL},
              22, connect_error);
}
static struct outcome link_local(const struct params* p) {
  (void)p;
  return each(
      (const char* const[]){"169.254.1.1", "fe80::1", "224.0.0.251", "255.255.255.255", NULL}, 5353,
      send_error);
}

static struct outcome dns(const struct params* p) {
  (void)p;
  char text[4096], server[64];
  const char* list[8] = {"8.8.8.8", "1.1.1.1", "10.0.2.3"};
  static char found[4][64];
  int count = 3;
  if (read_text("/etc/resolv.conf", text, sizeof text) > 0) {
    for (char* line = strtok(text, "\n"); line != NULL && count < 7; line = strtok(NULL, "\n")) {
      if (sscanf(line, "nameserver %63s", server) != 1) continue;
      if (strncmp(server, "127.", 4) == 0) continue;  // asked below
      strcpy(found[count - 3], server);
      list[count] = found[count - 3];
      ++count;
    }
  }
  list[count] = NULL;
  const struct outcome result = each(list, 53, send_error);
  // Docker's resolver for containers, and systemd's, answer on loopback addresses.
  if (result.kind == DENIED && connect_error("127.0.0.11", 53) == 0) return done("127.0.0.11:53");
  if (result.kind == DENIED && connect_error("127.0.0.53", 53) == 0) return done("127.0.0.53:53");
  return result;
}

// The host listens on `host_port` at all its addresses while this runs.
static struct outcome host(const struct params* p) {
  if (p->host_port == 0) return cannot(0, "the host gave no port");
  int count = 0;
  for (; count < kMaxTexts && p->addresses[count][0] != '\0'; ++count) {
    const char* const to = p->addresses[count];
    const int error = connect_error(to, (int)p->host_port);
    const bool own = strncmp(to, "127.", 4) == 0 || strcmp(to, "::1") == 0;
    if (!nowhere(error) && !(own && error == ECONNREFUSED))
      return done("the host answers at %s: %s", to, strerror(error));
  }
  return count > 0 ? denied(ENETUNREACH, "%d addresses of the host", count)
                   : cannot(0, "the host gave no address");
}

static struct outcome abstract_socket(const struct params* p) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  const size_t length = strlen(p->abstract_name);
  if (length == 0 || length > sizeof to.sun_path - 2) return cannot(0, "the host gave no name");
  memcpy(to.sun_path + 1, p->abstract_name, length);
  const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0) return denied(errno, "socket");
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  if (connect(s, (struct sockaddr*)&to, size) == 0) return done("the host's abstract socket");
  return denied(errno, "%s", strerror(errno));
}

static struct outcome raw(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "raw ICMP", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  attempt(&all, "raw TCP", socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
  attempt(&all, "raw IP", socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
  attempt(&all, "raw ICMPv6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  return verdict(&all);
}
static struct outcome packet(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "AF_PACKET raw", socket(AF_PACKET, SOCK_RAW, htons(3)));
  attempt(&all, "AF_PACKET cooked", socket(AF_PACKET, SOCK_DGRAM, htons(3)));
  return verdict(&all);
}
static struct outcome families(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  attempt(&all, "AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0));
  attempt(&all, "AF_ALG", socket(AF_ALG, SOCK_SEQPACKET, 0));
  attempt(&all, "NETLINK_NETFILTER", socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
  attempt(&all, "NETLINK_XFRM", socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM));
  attempt(&all, "NETLINK_GENERIC", socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));
  attempt(&all, "AF_CAN", socket(AF_CAN, SOCK_RAW, 1));
  attempt(&all, "AF_XDP", socket(44, SOCK_RAW, 0));
  attempt(&all, "AF_BLUETOOTH", socket(AF_BLUETOOTH, SOCK_RAW, 1));
  attempt(&all, "AF_TIPC", socket(AF_TIPC, SOCK_STREAM, 0));
  attempt(&all, "AF_RDS", socket(AF_RDS, SOCK_SEQPACKET, 0));
  attempt(&all, "SCTP", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
  attempt(&all, "MPTCP", socket(AF_INET, SOCK_STREAM, 262));
  return verdict(&all);
}
static struct outcome configure(const struct params* p) {
  (void)p;
  struct attempts all = {0};
  const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  if (s < 0 || ioctl(s, SIOCGIFFLAGS, &request) != 0) return cannot(errno, "flags of lo");
  attempt(&all, "setting an interface's flags", ioctl(s, SIOCSIFFLAGS, &request));
  strcpy(request.ifr_name, "lo");
  request.ifr_mtu = 65536;
  attempt(&all, "setting an interface's MTU", ioctl(s, SIOCSIFMTU, &request));
  return verdict(&all);
}

const struct check kNetworkChecks[] = {{"net-interfaces", interfaces, 5},
                                       {"net-routes", routes, 5},
                                       {"net-tcp4", tcp4, 10},
                                       {"net-tcp6", tcp6, 10},
                                       {"net-udp", udp, 10},
                                       {"net-dns", dns, 10},
                                       {"net-metadata4", metadata, 10},
                                       {"net-metadata6", metadata6, 10},
                                       {"net-link-local", link_local, 10},
                                       {"net-neighbours", neighbours, 10},
                                       {"net-host", host, 10},
                                       {"net-abstract-socket", abstract_socket, 5},
                                       {"net-raw", raw, 5},
                                       {"net-packet", packet, 5},
                                       {"net-families", families, 5},
                                       {"net-configure", configure, 5},
                                       {NULL, NULL, 0}};
