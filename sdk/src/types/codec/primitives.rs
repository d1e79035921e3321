//! Data that is not generated: booleans, integers, strings, lists, optional and nullable values.

use super::{
    super::{Blob, Bytes, Cid, CidLink, Nullable, Unknown, Value},
    Data, DataError, FromData, List, Reader, Shape,
};

impl Data for bool {
    fn shape(&self) -> Shape<'_> {
        Shape::Boolean(*self)
    }
}

impl FromData for bool {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        reader.boolean()
    }
}

impl Data for i64 {
    fn shape(&self) -> Shape<'_> {
        Shape::Integer(*self)
    }
}

impl FromData for i64 {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        reader.integer()
    }
}

impl Data for String {
    fn shape(&self) -> Shape<'_> {
        Shape::Text(self)
    }
}

impl FromData for String {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let text = reader.text()?.into_owned();
        reader.take_memory(text.len())?;
        Ok(text)
    }
}

impl Data for Cid {
    fn shape(&self) -> Shape<'_> {
        Shape::CidText(self)
    }
}

impl FromData for Cid {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let text = reader.text()?;
        reader.cid_of(&text)
    }
}

impl Data for CidLink {
    fn shape(&self) -> Shape<'_> {
        Shape::Link(&self.0)
    }
}

impl FromData for CidLink {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        reader.link().map(Self)
    }
}

impl Data for Bytes {
    fn shape(&self) -> Shape<'_> {
        Shape::Bytes(&self.0)
    }
}

impl FromData for Bytes {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        reader.byte_string().map(Self::from)
    }
}

impl Data for Blob {
    fn shape(&self) -> Shape<'_> {
        Shape::Blob(self)
    }
}

impl Data for Unknown {
    fn shape(&self) -> Shape<'_> {
        Shape::Unknown(self)
    }
}

impl FromData for Unknown {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        reader.unknown()
    }
}

impl Data for Value {
    fn shape(&self) -> Shape<'_> {
        Shape::Value(self)
    }
}

impl<T: Data> Data for Option<T> {
    fn shape(&self) -> Shape<'_> {
        self.as_ref().map_or(Shape::Absent, T::shape)
    }
}

impl<T: Data> Data for Nullable<T> {
    fn shape(&self) -> Shape<'_> {
        self.value().map_or(Shape::Null, T::shape)
    }
}

impl<T: FromData> FromData for Nullable<T> {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        if reader.null()? { Ok(Self::Null) } else { T::read(reader).map(Self::Value) }
    }
}

impl<T: Data> Data for Box<T> {
    fn shape(&self) -> Shape<'_> {
        (**self).shape()
    }
}

impl<T: FromData> FromData for Box<T> {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        reader.take_memory(size_of::<T>())?;
        T::read(reader).map(Self::new)
    }
}

impl<T: Data> Data for Vec<T> {
    fn shape(&self) -> Shape<'_> {
        Shape::List(self)
    }
}

impl<T: FromData> FromData for Vec<T> {
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let mut entries = reader.enter_list()?;
        let mut list = Self::new();
        while reader.next_item(&mut entries)? {
            reader.grow(&mut list)?;
            match T::read(reader) {
                Ok(item) => list.push(item),
                Err(error) => return Err(error.in_index(list.len())),
            }
        }
        Ok(list)
    }
}

impl<T: Data> List for Vec<T> {
    fn length(&self) -> usize {
        self.as_slice().len()
    }

    fn get(&self, index: usize) -> Option<&dyn Data> {
        self.as_slice().get(index).map(|item| item as &dyn Data)
    }
}
