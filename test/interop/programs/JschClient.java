// JSch as a client. Usage: JschClient PORT USER SECRET [NAME=VALUE …] MODE ARGUMENT …
//   SECRET  a password, or key:FILE
//   NAME    a setting of JSch such as kex
//   MODE    exec COMMAND | pty COMMAND | forward PORT | sftp LOCAL REMOTE BACK
import com.jcraft.jsch.ChannelDirectTCPIP;
import com.jcraft.jsch.ChannelExec;
import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;

public final class JschClient {
  static int run(Session session, String command, boolean pty) throws Exception {
    ChannelExec channel = (ChannelExec) session.openChannel("exec");
    channel.setCommand(command);
    channel.setPty(pty);
    channel.setInputStream(pty ? null : System.in);
    channel.setOutputStream(System.out, true);
    channel.setErrStream(System.err, true);
    channel.connect();
    while (!channel.isClosed()) Thread.sleep(20);
    channel.disconnect();
    return channel.getExitStatus();
  }

  static int transfer(Session session, String[] args, int at) throws Exception {
    ChannelSftp sftp = (ChannelSftp) session.openChannel("sftp");
    sftp.connect();
    sftp.put(args[at], args[at + 1]);
    sftp.chmod(0640, args[at + 1]);
    System.out.println(sftp.stat(args[at + 1]).getSize() + " " + sftp.stat(args[at + 1]).getPermissionsString());
    sftp.get(args[at + 1], args[at + 2]);
    sftp.rm(args[at + 1]);
    System.out.println(sftp.pwd() + " " + sftp.getServerVersion());
    try {
      sftp.stat(args[at + 1]);
    } catch (Exception error) {
      System.out.println(error);
    }
    sftp.disconnect();
    return 0;
  }

  public static void main(String[] args) throws Exception {
    JSch jsch = new JSch();
    Session session = jsch.getSession(args[1], "127.0.0.1", Integer.parseInt(args[0]));
    session.setConfig("StrictHostKeyChecking", "no");
    session.setConfig("PreferredAuthentications", args[2].startsWith("key:") ? "publickey" : "password");
    if (args[2].startsWith("key:")) {
      jsch.addIdentity(args[2].substring(4));
    } else {
      session.setPassword(args[2]);
    }
    int at = 3;
    for (; args[at].contains("="); ++at) {
      String[] pair = args[at].split("=", 2);
      session.setConfig(pair[0], pair[1]);
    }
    int status = 2;
    try {
      session.connect();
      switch (args[at]) {
        case "exec", "pty" -> status = run(session, args[at + 1], args[at].equals("pty"));
        case "sftp" -> status = transfer(session, args, at + 1);
        case "forward" -> {
          ChannelDirectTCPIP channel = (ChannelDirectTCPIP) session.openChannel("direct-tcpip");
          channel.setHost("127.0.0.1");
          channel.setPort(Integer.parseInt(args[at + 1]));
          channel.connect();
          status = 0;
        }
        default -> status = 2;
      }
    } catch (com.jcraft.jsch.JSchException error) {
      System.err.println(error);
      status = 255;
    }
    session.disconnect();
    System.exit(status);
  }
}
