# A Python module with several files, as setuptools packs it, its byte code, and a zip application.
set -e
mkdir -p artifacts project/small
cd project
cat > setup.py <<'P'
from setuptools import setup
setup(name="small", version="1.0", packages=["small"], description="A small module", author="nobody", url="http://example.org/")
P
for name in one two three; do
	printf 'WORDS = {"a", "b", "c", "%s"}\n\ndef %s(x):\n    return {x, "%s"} | WORDS\n' $name $name $name > small/$name.py
done
echo 'from . import one, two, three' > small/__init__.py
echo 'import small; print(sorted(small.one.one("x")))' > __main__.py
/usr/bin/python3 setup.py -q sdist -d ../artifacts 2>&1
/usr/bin/python3 -m compileall -q small
cp small/__pycache__/*.pyc ../artifacts
/usr/bin/python3 -c 'import small.one as m; open("../artifacts/order", "w").write(repr(m.WORDS))'
cd .. && /usr/bin/python3 -m zipapp project -o artifacts/small.pyz
