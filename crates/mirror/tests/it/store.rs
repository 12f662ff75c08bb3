//! A store that does what its owner would rather not see.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug, Default)]
pub(crate) struct Faulty {
    inner: InMemory,
    /// Writes until one fails; below zero none does.
    pub(crate) fails_in: AtomicI64,
    /// The failing write is done all the same: its answer is lost.
    pub(crate) does_it: AtomicBool,
    /// Nothing is answered.
    pub(crate) hangs: AtomicBool,
    pub(crate) puts: AtomicU64,
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self { fails_in: AtomicI64::new(-1), ..Self::default() }
    }

    async fn answer(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.answer().await;
        self.puts.fetch_add(1, Ordering::SeqCst);
        let fails = self.fails_in.fetch_sub(1, Ordering::SeqCst) == 0;
        if fails && !self.does_it.load(Ordering::SeqCst) {
            return Err(Error::Generic { store: "faulty", source: "as told".into() });
        }
        let put = self.inner.put_opts(location, payload, options).await;
        if fails {
            return Err(Error::Generic { store: "faulty", source: "the answer is lost".into() });
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.answer().await;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
