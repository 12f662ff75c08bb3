//! How long a 36-hour release at 10 s ticks takes to simulate.
//! `cargo bench -p lockgate-simulate`, or quicker to build: `cargo bench --profile quick …`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use lockgate_simulate::plans::standard;
use lockgate_simulate::release::{Setting, run};
use lockgate_simulate::traffic::Traffic;

fn releases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("36 hours, identical version");
    for rate in [1.0, 10.0, 100.0] {
        let setting = Setting {
            traffic: Traffic { requests_per_s: rate, ..Traffic::default() },
            ..Setting::identical(Arc::new(standard()))
        };
        let mut seed = 0;
        group.bench_function(format!("{rate} requests a second"), |bencher| {
            bencher.iter(|| {
                seed += 1;
                black_box(run(&setting, seed))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, releases);
criterion_main!(benches);
