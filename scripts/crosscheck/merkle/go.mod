module careledger.example/crosscheck/merkle

go 1.23

require github.com/transparency-dev/merkle v0.0.2
