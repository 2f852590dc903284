module github.com/lockstep-dev/lockstep/hack/cluster/components/pause

go 1.26.0
