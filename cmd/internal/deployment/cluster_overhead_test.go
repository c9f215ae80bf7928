//go:build e2e

package deployment_test

import (
	"bufio"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// overheadRounds is how many jobs BenchmarkClusterOverhead runs, and how many bare Kubernetes Jobs.
const overheadRounds = 15

// BenchmarkClusterOverhead measures what a run adds to its program: from the answer of the call that starts a job to the program's
// first line, and from the program's last line to SUCCESSFUL. The floor is a bare Kubernetes Job of one container with the
// same image and the same resources: from the answer to its creation to its first line, and from its last line to its condition
// Complete. The times of lines are those at which the container runtime received them. Both programs take about two seconds. All
// functions are warm. A job and a bare Job take turns, and neither runs beside the other.
func BenchmarkClusterOverhead(b *testing.B) {
	d := newBackend(b, small+`Deadline: 10m}`)
	var begin, end, bareBegin, bareEnd []time.Duration
	for round := range overheadRounds {
		run := func() {
			r := d.create()
			d.begin(r, "paced")
			accepted := time.Now()
			for d.status(r) != "SUCCESSFUL" {
				time.Sleep(2 * time.Millisecond)
			}
			successful := time.Now()
			first, last := d.lines("bakta.computational.bio/job="+r.ID, "bakta")
			begin, end = append(begin, first.Sub(accepted)), append(end, successful.Sub(last))
		}
		bare := func() {
			name := "bare-" + strings.ToLower(rand.Text())
			must(b, err1(d.jobs.Create(b.Context(), bareJob(name), metav1.CreateOptions{})))
			created := time.Now()
			var complete time.Time
			for complete.IsZero() {
				j, err := d.jobs.Get(b.Context(), name, metav1.GetOptions{})
				must(b, err)
				if isComplete(j) {
					complete = time.Now()
				}
				time.Sleep(5 * time.Millisecond)
			}
			first, last := d.lines(batchv1.JobNameLabel+"="+name, "program")
			bareBegin, bareEnd = append(bareBegin, first.Sub(created)), append(bareEnd, complete.Sub(last))
		}
		turns := []func(){run, bare}
		turns[round%2]()
		turns[1-round%2]()
		b.Logf("begin %v beside %v, end %v beside %v", begin[round], bareBegin[round], end[round], bareEnd[round])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(begin), "begin-ms")
	b.ReportMetric(median(bareBegin), "bare-begin-ms")
	b.ReportMetric(median(begin)/median(bareBegin), "begin-ratio")
	b.ReportMetric(median(end), "end-ms")
	b.ReportMetric(median(bareEnd), "bare-end-ms")
	b.ReportMetric(median(end)/median(bareEnd), "end-ratio")
}

// isComplete reports whether a Kubernetes Job is complete.
func isComplete(j *batchv1.Job) bool {
	return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
	})
}

// bareJob returns a Kubernetes Job of one container that writes a line, works for two seconds, and writes another line.
func bareJob(name string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: new(bool),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(65532)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "program", Image: toolImage, Command: []string{"/bin/sh", "-c", "echo first; sleep 2; echo last"},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(bool), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		}}},
	}
}

// lines returns when the first and the last line of a program came. The line in which the stager writes the command is not one of them.
func (b *backend) lines(selector, container string) (first, last time.Time) {
	b.Helper()
	list, err := b.pods.List(b.Context(), metav1.ListOptions{LabelSelector: selector})
	must(b.TB, err)
	if len(list.Items) != 1 {
		b.Fatalf("%d pods of %s", len(list.Items), selector)
	}
	log, err := b.pods.GetLogs(list.Items[0].Name, &corev1.PodLogOptions{Container: container, Timestamps: true}).Stream(b.Context())
	must(b.TB, err)
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		stamp, text, _ := strings.Cut(lines.Text(), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		must(b.TB, err)
		if first.IsZero() && !strings.HasPrefix(text, "Bakta Command: ") {
			first = at
		}
		last = at
	}
	if first.IsZero() {
		b.Fatalf("%s wrote nothing", selector)
	}
	return first, last
}
