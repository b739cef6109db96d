#!/bin/bash
# java: threads, garbage collection, synchronisation, a socket server
# group jvm
# needs java javac
# packages openjdk-17-jdk-headless
# version java -version
set -e
cat > All.java <<'EOF'
import java.io.*; import java.net.*; import java.util.*; import java.util.concurrent.*;
public class All {
	static int total;
	static synchronized void add(int n) { total += n; }
	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Integer>> futures = new ArrayList<>();
		for (int i = 0; i < 16; i++) {
			final int seed = i;
			futures.add(pool.submit(() -> {
				Map<String, Integer> map = new HashMap<>();
				for (int j = 0; j < 20000; j++) map.merge("k" + (j * seed % 997), 1, Integer::sum);
				add(map.size());
				return map.size();
			}));
		}
		for (Future<Integer> f : futures) System.out.print(f.get() + " ");
		System.out.println(total);
		for (int i = 0; i < 50; i++) { byte[][] waste = new byte[64][]; for (int j = 0; j < 64; j++) waste[j] = new byte[20000]; }
		System.gc();
		ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
		Thread t = new Thread(() -> { try { for (int i = 0; i < 3; i++) { Socket s = server.accept();
			s.getOutputStream().write(new BufferedReader(new InputStreamReader(s.getInputStream())).readLine().toUpperCase().getBytes()); s.close(); } } catch (IOException e) { e.printStackTrace(); } });
		t.start();
		for (int i = 0; i < 3; i++) { Socket s = new Socket(server.getInetAddress(), server.getLocalPort());
			s.getOutputStream().write(("hello " + i + "\n").getBytes()); System.out.println(new String(s.getInputStream().readAllBytes())); }
		t.join();
		try { Object o = args.length == 0 ? null : args; o.hashCode(); } catch (NullPointerException e) { System.out.println("null"); }
		pool.shutdown();
		System.out.println(new String(new ProcessBuilder("echo", "child").start().getInputStream().readAllBytes()).trim());
	}
}
EOF
javac All.java
java -Xmx128m All
