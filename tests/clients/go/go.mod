module sluice.test/clients

go 1.16

require github.com/go-kafka/connect v0.9.0
