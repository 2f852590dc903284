module github.com/lockstep-dev/lockstep/hack/cluster/components/gateway

go 1.26.0
