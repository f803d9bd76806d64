#!/usr/bin/perl
# Net::SSH2 (libssh2) as a client. Usage: net_ssh2.pl PORT USER SECRET [NAME=VALUE …] MODE ARGUMENT …
#   SECRET  a password, or key:FILE
#   NAME    a method of libssh2 such as KEX
#   MODE    exec COMMAND | pty COMMAND | forward PORT | sftp LOCAL REMOTE BACK
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_CREAT O_TRUNC O_RDONLY);
use Net::SSH2;

my ($port, $user, $secret, @words) = @ARGV;
binmode $_ for *STDIN, *STDOUT, *STDERR;

sub fail {
  my ($what, $ssh) = @_;
  printf STDERR "%s: %s\n", $what, join ' ', $ssh->error;
  exit 255;
}

my $ssh = Net::SSH2->new;
while ($words[0] =~ /^(\w+)=(.*)/) {
  $ssh->method($1, split /,/, $2) or fail('method', $ssh);
  shift @words;
}
$ssh->connect('127.0.0.1', $port) or fail('connect', $ssh);
if ($secret =~ /^key:(.*)/) {
  $ssh->auth_publickey($user, "$1.pub", $1) or fail('login', $ssh);
} else {
  $ssh->auth_password($user, $secret) or fail('login', $ssh);
}

my ($mode, @names) = @words;
if ($mode eq 'exec' || $mode eq 'pty') {
  my $channel = $ssh->channel or fail('session', $ssh);
  if ($mode eq 'pty') { $channel->pty('xterm', undef, 100, 30) or fail('pty', $ssh) }
  $channel->exec($names[0]) or fail('exec', $ssh);
  if ($mode eq 'exec') {
    while (read STDIN, my $chunk, 16384) { print {$channel} $chunk or fail('write', $ssh) }
    $channel->send_eof;
  }
  my ($out, $err) = $channel->read2(1 << 24) ;
  my ($all_out, $all_err) = ('', '');
  while (defined $out && (length $out || length $err)) {
    $all_out .= $out;
    $all_err .= $err;
    ($out, $err) = $channel->read2(1 << 24);
  }
  print $all_out;
  print STDERR $all_err;
  $channel->wait_closed;
  exit $channel->exit_status;
} elsif ($mode eq 'forward') {
  $ssh->tcpip('127.0.0.1', $names[0]) or fail('forward', $ssh);
} elsif ($mode eq 'sftp') {
  my ($local, $remote, $back) = @names;
  my $sftp = $ssh->sftp or fail('sftp', $ssh);
  my $there = $sftp->open($remote, O_WRONLY | O_CREAT | O_TRUNC, 0640) or fail('open', $ssh);
  open my $here, '<:raw', $local or die;
  while (read $here, my $chunk, 16384) { $there->write($chunk) or fail('write', $ssh) }
  undef $there;
  my %status = $sftp->stat($remote);
  printf "%d %o\n", $status{size}, $status{mode};
  $there = $sftp->open($remote, O_RDONLY) or fail('open', $ssh);
  open my $copy, '>:raw', $back or die;
  while ($there->read(my $chunk, 30000)) { print {$copy} $chunk }
  undef $there;
  close $copy;
  $sftp->unlink($remote);
  printf "missing: %s\n", join ' ', ($sftp->stat($remote) ? 'no' : $sftp->error);
}
