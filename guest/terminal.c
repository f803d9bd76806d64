#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "login.h"

enum { kOffInput, kOffOutput, kOffControl, kOffLocal };

struct Flag {
  unsigned char opcode;
  unsigned char word;
  tcflag_t bits;
};

struct Character {
  unsigned char opcode;
  unsigned char index;
};

// RFC 4254 section 8. Opcodes that Linux has no counterpart for (VDSUSP, VSTATUS) are skipped.
static const struct Character kCharacters[] = {
    {1, VINTR},     {2, VQUIT},    {3, VERASE},  {4, VKILL},  {5, VEOF},
    {6, VEOL},      {7, VEOL2},    {8, VSTART},  {9, VSTOP},  {10, VSUSP},
    {12, VREPRINT}, {13, VWERASE}, {14, VLNEXT}, {16, VSWTC}, {18, VDISCARD}};

static const struct Flag kFlags[] = {
    {30, kOffInput, IGNPAR}, {31, kOffInput, PARMRK},   {32, kOffInput, INPCK},
    {33, kOffInput, ISTRIP}, {34, kOffInput, INLCR},    {35, kOffInput, IGNCR},
    {36, kOffInput, ICRNL},  {37, kOffInput, IUCLC},    {38, kOffInput, IXON},
    {39, kOffInput, IXANY},  {40, kOffInput, IXOFF},    {41, kOffInput, IMAXBEL},
    {42, kOffInput, IUTF8},  {50, kOffLocal, ISIG},     {51, kOffLocal, ICANON},
    {52, kOffLocal, XCASE},  {53, kOffLocal, ECHO},     {54, kOffLocal, ECHOE},
    {55, kOffLocal, ECHOK},  {56, kOffLocal, ECHONL},   {57, kOffLocal, NOFLSH},
    {58, kOffLocal, TOSTOP}, {59, kOffLocal, IEXTEN},   {60, kOffLocal, ECHOCTL},
    {61, kOffLocal, ECHOKE}, {62, kOffLocal, PENDIN},   {70, kOffOutput, OPOST},
    {71, kOffOutput, OLCUC}, {72, kOffOutput, ONLCR},   {73, kOffOutput, OCRNL},
    {74, kOffOutput, ONOCR}, {75, kOffOutput, ONLRET},  {90, kOffControl, CS7},
    {91, kOffControl, CS8},  {92, kOffControl, PARENB}, {93, kOffControl, PARODD}};

static const struct {
  unsigned baud;
  speed_t speed;
} kSpeeds[] = {{50, B50},         {75, B75},        {110, B110},     {134, B134},
               {150, B150},       {200, B200},      {300, B300},     {600, B600},
               {1200, B1200},     {1800, B1800},    {2400, B2400},   {4800, B4800},
               {9600, B9600},     {19200, B19200},  {38400, B38400}, {57600, B57600},
               {115200, B115200}, {230400, B230400}};

static speed_t to_speed(unsigned baud) {
  for (size_t i = 0; i < sizeof(kSpeeds) / sizeof(kSpeeds[0]); ++i)
    if (kSpeeds[i].baud == baud) return kSpeeds[i].speed;
  return B9600;  // sshd's answer to a speed it does not know
}

static void apply_mode(struct termios* tio, unsigned char opcode, unsigned value) {
  if (opcode == 128) cfsetispeed(tio, to_speed(value));
  if (opcode == 129) cfsetospeed(tio, to_speed(value));
  for (size_t i = 0; i < sizeof(kCharacters) / sizeof(kCharacters[0]); ++i)
    if (kCharacters[i].opcode == opcode)  // 255 means "none"
      tio->c_cc[kCharacters[i].index] = value == 255 ? _POSIX_VDISABLE : (cc_t)value;
  tcflag_t* const words[] = {&tio->c_iflag, &tio->c_oflag, &tio->c_cflag, &tio->c_lflag};
  for (size_t i = 0; i < sizeof(kFlags) / sizeof(kFlags[0]); ++i) {
    if (kFlags[i].opcode != opcode) continue;
    tcflag_t* const word = words[kFlags[i].word];
    if (value != 0) {
      *word |= kFlags[i].bits;
    } else {
      *word &= ~kFlags[i].bits;
    }
  }
}

// TTY_OP_END (0) ends the list; opcodes from 160 on have no known argument size and end it too.
static void apply_modes(struct termios* tio, const unsigned char* modes, size_t length) {
  for (size_t at = 0; at + 5 <= length; at += 5) {
    const unsigned char* one = modes + at;
    if (one[0] == 0 || one[0] >= 160) return;
    apply_mode(tio, one[0],
               (unsigned)one[1] << 24 | (unsigned)one[2] << 16 | (unsigned)one[3] << 8 | one[4]);
  }
}

// What the kernel gives a new pseudo terminal: container runtimes change some of it (ONLCR).
static struct termios fresh_terminal(void) {
  struct termios tio;
  tcgetattr(0, &tio);
  tio.c_iflag = ICRNL | IXON;
  tio.c_oflag = OPOST | ONLCR;
  tio.c_cflag = CS8 | CREAD;
  tio.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  cfsetispeed(&tio, B38400);
  cfsetospeed(&tio, B38400);
  return tio;
}

void prepare_terminal(const struct Request* request, const struct Account* account) {
  ioctl(0, TIOCSCTTY, 0);
  struct termios tio = fresh_terminal();
  apply_modes(&tio, request->modes, request->modes_length);
  tcsetattr(0, TCSANOW, &tio);
  const struct winsize size = {.ws_row = request->rows,
                               .ws_col = request->columns,
                               .ws_xpixel = request->width_px,
                               .ws_ypixel = request->height_px};
  ioctl(0, TIOCSWINSZ, &size);
  // As sshd's pty_setowner: writable for group tty, so that write(1) and wall(1) work.
  if (fchown(0, account->uid, group_id("tty", 5)) == 0) fchmod(0, 0620);
}

bool announce_and_wait(bool tty) {
  struct termios tio;
  if (tty && tcgetattr(0, &tio) == 0) {  // no echo of the answer, no CR LF; undone by the above
    cfmakeraw(&tio);
    tcsetattr(0, TCSANOW, &tio);
  }
  char ready[32];
  const int length = snprintf(ready, sizeof(ready), "\006%d\n", (int)getpid());
  char go = 0;
  return write(1, ready, (size_t)length) == length && read(0, &go, 1) == 1;
}
