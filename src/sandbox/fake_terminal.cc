#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>
#include <iterator>

#include "sandbox/fake_process.h"

namespace sandtrap::sandbox {
namespace {

enum class Field { kInput, kOutput, kControl, kLocal, kCharacter, kControlSize };
struct Mode {
  std::uint8_t opcode;
  Field field;
  tcflag_t value;  // flag, or index into c_cc
};

// RFC 4254 §8, as OpenSSH's ttymodes.h lists them for Linux.
constexpr Mode kModes[] = {
    {1, Field::kCharacter, VINTR},     {2, Field::kCharacter, VQUIT},
    {3, Field::kCharacter, VERASE},    {4, Field::kCharacter, VKILL},
    {5, Field::kCharacter, VEOF},      {6, Field::kCharacter, VEOL},
    {7, Field::kCharacter, VEOL2},     {8, Field::kCharacter, VSTART},
    {9, Field::kCharacter, VSTOP},     {10, Field::kCharacter, VSUSP},
    {12, Field::kCharacter, VREPRINT}, {13, Field::kCharacter, VWERASE},
    {14, Field::kCharacter, VLNEXT},   {18, Field::kCharacter, VDISCARD},
    {30, Field::kInput, IGNPAR},       {31, Field::kInput, PARMRK},
    {32, Field::kInput, INPCK},        {33, Field::kInput, ISTRIP},
    {34, Field::kInput, INLCR},        {35, Field::kInput, IGNCR},
    {36, Field::kInput, ICRNL},        {37, Field::kInput, IUCLC},
    {38, Field::kInput, IXON},         {39, Field::kInput, IXANY},
    {40, Field::kInput, IXOFF},        {41, Field::kInput, IMAXBEL},
    {42, Field::kInput, IUTF8},        {50, Field::kLocal, ISIG},
    {51, Field::kLocal, ICANON},       {52, Field::kLocal, XCASE},
    {53, Field::kLocal, ECHO},         {54, Field::kLocal, ECHOE},
    {55, Field::kLocal, ECHOK},        {56, Field::kLocal, ECHONL},
    {57, Field::kLocal, NOFLSH},       {58, Field::kLocal, TOSTOP},
    {59, Field::kLocal, IEXTEN},       {60, Field::kLocal, ECHOCTL},
    {61, Field::kLocal, ECHOKE},       {62, Field::kLocal, PENDIN},
    {70, Field::kOutput, OPOST},       {71, Field::kOutput, OLCUC},
    {72, Field::kOutput, ONLCR},       {73, Field::kOutput, OCRNL},
    {74, Field::kOutput, ONOCR},       {75, Field::kOutput, ONLRET},
    {90, Field::kControlSize, CS7},    {91, Field::kControlSize, CS8},
    {92, Field::kControl, PARENB},     {93, Field::kControl, PARODD},
};

void set_flag(tcflag_t& flags, tcflag_t flag, bool on) {
  if (on) {
    flags |= flag;
  } else {
    flags &= ~flag;
  }
}

void apply(termios& tio, const Mode& mode, std::uint32_t value) {
  switch (mode.field) {
    case Field::kInput:
      return set_flag(tio.c_iflag, mode.value, value != 0);
    case Field::kOutput:
      return set_flag(tio.c_oflag, mode.value, value != 0);
    case Field::kControl:
      return set_flag(tio.c_cflag, mode.value, value != 0);
    case Field::kLocal:
      return set_flag(tio.c_lflag, mode.value, value != 0);
    case Field::kControlSize:
      if (value != 0) tio.c_cflag = (tio.c_cflag & ~tcflag_t{CSIZE}) | mode.value;
      return;
    case Field::kCharacter:  // 255 means "none" on the wire, 0 in termios
      tio.c_cc[mode.value] = value == 255 ? cc_t{0} : static_cast<cc_t>(value);
      return;
  }
}

std::uint32_t big_endian(base::ByteView four) {
  return (std::uint32_t{four[0]} << 24) | (std::uint32_t{four[1]} << 16) |
         (std::uint32_t{four[2]} << 8) | std::uint32_t{four[3]};
}

}  // namespace

void apply_terminal(int fd, const Terminal& terminal) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(std::min<std::uint32_t>(terminal.columns, 65535));
  size.ws_row = static_cast<unsigned short>(std::min<std::uint32_t>(terminal.rows, 65535));
  size.ws_xpixel = static_cast<unsigned short>(std::min<std::uint32_t>(terminal.width_px, 65535));
  size.ws_ypixel = static_cast<unsigned short>(std::min<std::uint32_t>(terminal.height_px, 65535));
  ::ioctl(fd, TIOCSWINSZ, &size);

  termios tio{};
  if (::tcgetattr(fd, &tio) != 0) return;
  base::ByteView left = terminal.modes;
  // Opcode 0 ends the list; 160 and above have no known argument (RFC 4254 §8).
  while (left.size() >= 5 && left[0] != 0 && left[0] < 160) {
    const auto known = std::find_if(std::begin(kModes), std::end(kModes),
                                    [&](const Mode& mode) { return mode.opcode == left[0]; });
    if (known != std::end(kModes)) apply(tio, *known, big_endian(left.subspan(1, 4)));
    left = left.subspan(5);
  }
  ::tcsetattr(fd, TCSANOW, &tio);
}

}  // namespace sandtrap::sandbox
