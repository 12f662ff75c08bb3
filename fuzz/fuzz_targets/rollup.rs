//! Rollups as bytes: any bytes are one or refused; what was read is written as the same again, and merges with itself and others in any order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_value::distinct::Users;
use lockgate_value::rollup::Bucket;

fuzz_target!(|data: &[u8]| {
    if let Ok(users) = Users::from_bytes(data) {
        assert_eq!(users.to_bytes(), data);
        let mut twice = users.clone();
        twice.merge(&users);
        assert_eq!(twice, users);
        assert!(users.count().is_finite() && users.count() >= 0.0);
    }
    let (one, two) = data.split_at(data.len() / 2);
    let read: Vec<Bucket> =
        [data, one, two].into_iter().filter_map(|bytes| Bucket::from_bytes(bytes).ok()).collect();
    for bucket in &read {
        assert_eq!(&Bucket::from_bytes(&bucket.to_bytes()).expect("it was written here"), bucket);
        let _ = (bucket.interactions(), bucket.errors_charged(), bucket.votes.thirds());
    }
    let sum = |buckets: &mut dyn Iterator<Item = &Bucket>| {
        let mut all = Bucket::default();
        buckets.for_each(|bucket| all.merge(bucket));
        all.merge(&all.clone());
        all
    };
    assert_eq!(sum(&mut read.iter()), sum(&mut read.iter().rev()));
});
