#!/bin/bash
# mono: threads, garbage collection by signals, exceptions
# group jvm
# needs mono mcs
# packages mono-mcs mono-runtime
# version mono --version
set -e
cat > all.cs <<'EOF'
using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
class All {
	static int Work(int seed) {
		var map = new Dictionary<string, int>();
		for (int i = 0; i < 20000; i++) { var k = "k" + (i * seed % 997); int v; map.TryGetValue(k, out v); map[k] = v + 1; }
		return map.Count;
	}
	static void Main() {
		var threads = new List<Thread>(); int total = 0;
		for (int i = 1; i <= 4; i++) { int n = i; var t = new Thread(() => Interlocked.Add(ref total, Work(n))); t.Start(); threads.Add(t); }
		foreach (var t in threads) t.Join();
		Console.WriteLine(total);
		GC.Collect();
		try { object o = null; o.ToString(); } catch (NullReferenceException) { Console.WriteLine("null"); }
		var task = Task.Run(() => Work(7)); Console.WriteLine(task.Result);
	}
}
EOF
mcs all.cs && mono all.exe
