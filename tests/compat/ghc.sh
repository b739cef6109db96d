#!/bin/bash
# ghc: compiles and runs a threaded Haskell program
# group native
# needs ghc
# packages ghc
# version ghc --version
set -e
cat > all.hs <<'EOF'
import Control.Concurrent
import Control.Monad
main :: IO ()
main = do
  done <- newEmptyMVar
  forM_ [1 .. 4 :: Int] $ \i -> forkIO $ putMVar done $! sum [x * i `mod` 7 | x <- [1 .. 50000]]
  sums <- replicateM 4 (takeMVar done)
  print (sum sums)
  threadDelay 20000
  print (length (show (product [1 .. 2000 :: Integer])))
EOF
ghc -v0 -threaded -rtsopts all.hs -o all && ./all +RTS -N2
