#!/bin/bash
# apt-get: a download that fails as there is no network
# group tools
# needs apt-get
# packages apt
# version apt-get --version
# output varies
mkdir -p lists/partial archives/partial
apt-get -o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD" -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
	-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null download http://127.0.0.1:9/none.deb
echo "status $?"
apt-cache policy bash | head -n 1
