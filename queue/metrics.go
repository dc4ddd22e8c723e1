package queue

import "github.com/prometheus/client_golang/prometheus"

// The collectors read a snapshot when they are scraped; counting costs the hot
// path nothing more. None of them carries a key. Which lane and which SET is
// for the caller to say, with prometheus.WrapRegistererWith.

// Register adds the lane's metrics to reg.
func (l *Lane[K, Req, Res]) Register(reg prometheus.Registerer) error {
	return reg.Register(collector(func(s sheet) { s.lane(l.Stats()) }))
}

// Register adds the gate's metrics to reg.
func (g *Gate) Register(reg prometheus.Registerer) error {
	return reg.Register(collector(func(s sheet) { s.gate(g.Stats()) }))
}

// Register adds the shedder's metrics to reg.
func (s *Shedder) Register(reg prometheus.Registerer) error {
	return reg.Register(collector(func(sh sheet) { sh.shed(s.Stats()) }))
}

// collector fills a sheet at every scrape.
type collector func(sheet)

func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }
func (c collector) Collect(ch chan<- prometheus.Metric) { c(sheet{ch}) }

// sheet takes the metrics of one scrape.
type sheet struct{ ch chan<- prometheus.Metric }

func (s sheet) put(t prometheus.ValueType, name, help string, v float64, reason string) {
	if reason == "" {
		s.ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), t, v)
		return
	}
	s.ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{"reason"}, nil), t, v, reason)
}

func (s sheet) gauge(name, help string, v float64) { s.put(prometheus.GaugeValue, name, help, v, "") }

func (s sheet) counter(name, help string, v uint64) {
	s.put(prometheus.CounterValue, name, help, float64(v), "")
}

func (s sheet) refused(name, help string, reason Reason, v uint64) {
	s.put(prometheus.CounterValue, name, help, float64(v), string(reason))
}

// histogram shows h in units of unit, leaving out the buckets below first.
func (s sheet) histogram(name, help string, h Histogram, unit float64, first int) {
	buckets := make(map[float64]uint64, histogramBuckets)
	var below uint64
	for i, n := range h.Counts[:histogramBuckets-1] {
		below += n
		if i >= first {
			buckets[float64(uint64(1)<<i-1)*unit] = below
		}
	}
	desc := prometheus.NewDesc(name, help, nil, nil)
	s.ch <- prometheus.MustNewConstHistogram(desc, h.Count(), float64(h.Sum)*unit, buckets)
}

func (s sheet) lane(st LaneStats) {
	s.gauge("hongbao_lane_queued", "Requests waiting.", float64(st.Queued))
	s.gauge("hongbao_lane_keys", "Keys with requests waiting.", float64(st.Keys))
	s.gauge("hongbao_lane_oldest_seconds", "Age of the oldest request waiting, or of the batch in service.", st.Age.Seconds())
	s.counter("hongbao_lane_admitted_total", "Requests queued.", st.Admitted)
	s.counter("hongbao_lane_served_total", "Requests handed to Serve.", st.Served)
	s.counter("hongbao_lane_batches_total", "Batches handed to Serve.", st.Batches)
	s.counter("hongbao_lane_calls_total", "Calls of Serve; more than batches when batches were halved.", st.Calls)
	s.counter("hongbao_lane_panics_total", "Calls of Serve that panicked.", st.Panics)
	const name, help = "hongbao_lane_refused_total", "Requests not served."
	s.refused(name, help, ReasonQueueFull, st.QueueFull)
	s.refused(name, help, ReasonLaneFull, st.LaneFull)
	s.refused(name, help, ReasonExpired, st.Expired)
	s.histogram("hongbao_lane_batch_size", "Requests taken from the queues at once.", st.BatchSizes, 1, 1)
	s.histogram("hongbao_lane_wait_seconds", "From admission to being taken.", st.Waits, 1e-6, 4)
}

func (s sheet) gate(st GateStats) {
	s.gauge("hongbao_gate_keys", "Keys remembered.", float64(st.Warm))
	s.gauge("hongbao_gate_permits", "Permits out.", float64(st.Permits))
	fallen := 0.0
	if st.Fallen {
		fallen = 1
	}
	s.gauge("hongbao_gate_fallback", "1 while the store does not answer and local caps hold.", fallen)
	s.counter("hongbao_gate_granted_total", "Permits given under a lease.", st.Granted)
	s.counter("hongbao_gate_fallback_total", "Permits given under the local cap.", st.Fallback)
	s.counter("hongbao_gate_refused_total", "Requests refused.", st.Refused)
	s.counter("hongbao_gate_leases_total", "Leases got or renewed.", st.Acquired)
	s.counter("hongbao_gate_leases_capped_total", "Leases others had all of.", st.Capped)
	s.counter("hongbao_gate_leases_unreachable_total", "Leases the store did not answer about.", st.Unreachable)
	s.counter("hongbao_gate_cap_underflow_total", "Permits given back twice, to no effect.", st.DoubleLeaves)
}

func (s sheet) shed(st ShedStats) {
	s.gauge("hongbao_shed_in_flight", "Requests admitted and not done.", float64(st.InFlight))
	s.gauge("hongbao_shed_limit", "The adaptive limit of requests in flight.", float64(st.Limit))
	s.gauge("hongbao_shed_cpu_ratio", "Smoothed share of CPU in use.", st.CPU)
	s.gauge("hongbao_shed_database_seconds", "Smoothed duration of transactions.", st.Latency.Seconds())
	s.gauge("hongbao_shed_database_error_ratio", "Smoothed share of transactions that fail.", st.ErrorRate)
	refusing := 0.0
	if st.Refusing != "" {
		refusing = 1
	}
	s.gauge("hongbao_shed_refusing", "1 while everything but probes is refused.", refusing)
	for reason, n := range st.Refused {
		s.refused("hongbao_shed_refused_total", "Requests refused.", reason, n)
	}
}
