module github.com/lockstep-dev/lockstep/hack/cluster/components/echo

go 1.26.0
